import { adoptStore, withOfflineStore, type Adoption, type BlockEntry } from '@fleetflame/store';
import type { Command } from 'commander';
import { Registry } from 'prom-client';
import { formatBytes } from '../client/format.ts';
import { printJson, printLine, printWarnings, showProgress } from '../client/output.ts';
import { Config } from '../config/config.ts';
import { storePlace } from '../config/store-place.ts';
import { handBack } from '../privileges/take-over.ts';
import { LIMITS } from '../server/run-server.ts';

/** `store adopt`. */
export function addAdopt(store: Command): void {
  const adopt = store
    .command('adopt')
    .description(
      'make the catalog anew, or complete an old one, from what the objects tell; takes the settings of up',
    )
    .option('--yes', 'really; without it, only what would be done is shown')
    .option('--json', 'for scripts');
  Config.addFlags(adopt, 'up').action(run);
}

async function run(flags: Readonly<Record<string, unknown>>): Promise<void> {
  const config = await Config.load('up', flags, process.env, LIMITS);
  const apply = flags['yes'] === true;
  const options = {
    ...storePlace(config),
    registry: new Registry(),
  };
  const adoption = await withOfflineStore(options, (offline) =>
    adoptStore({ ...offline, apply, onProgress }),
  );
  showProgress('');
  if (apply) handBack(options.dataDir);
  if (flags['json'] === true) {
    printJson({ applied: apply, ...adoptionJson(adoption) });
    return;
  }
  reportAdoption(adoption, apply);
  printLine(apply ? 'The next start of a server uses it.' : 'Nothing was changed: --yes does it.');
}

export function onProgress(read: number, of: number): void {
  if (read % 50 === 0 || read === of) showProgress(`reading footers: ${read} of ${of}`);
}

export function reportAdoption(adoption: Adoption, applied: boolean): void {
  const { objects, plan, added, batches, unreadable, missing, storeId } = adoption;
  const will = applied ? '' : 'would be ';
  printLine(`store ${storeId}: ${objects} objects of blocks`);
  printLine(`  ${added.length} ${will}taken over: ${spanOf(added)}`);
  printLine(`  ${plan.live.length - added.length} are in the catalog already`);
  printLine(
    `  ${plan.replaced.length} ${will}left out, since what they hold is in others, or was never committed (removed later, as after a merge)`,
  );
  printLine(
    `  ${batches} batches ${applied ? 'are' : 'would be'} known as stored: a late repeat does not count twice`,
  );
  const warnings = unreadable.map(
    ({ key, reason }) => `${key} cannot be read, and stays where it is: ${reason}`,
  );
  if (missing.length > 0) {
    warnings.push(
      `${missing.length} blocks (${spanOf(missing)}) are in the catalog, but not in object storage, and nothing there says what took their place: answers name them as missing`,
    );
  }
  if (plan.doubtful.length > 0) {
    warnings.push(
      `${plan.doubtful.length} blocks (${spanOf(plan.doubtful)}) hold batches that others hold too, or are what is left of a work: a part of them may count twice`,
    );
  }
  if (plan.guessed.length > 0) {
    warnings.push(
      `${plan.guessed.length} blocks (${spanOf(plan.guessed)}) are from a version that did not say what it made them of: what was merged ` +
        'in the quarter of an hour before the catalog was lost may be in two of them',
    );
  }
  printWarnings(warnings);
}

function spanOf(blocks: readonly BlockEntry[]): string {
  if (blocks.length === 0) return 'nothing';
  const bytes = blocks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const from = blocks.reduce((least, { timeMinMs }) => Math.min(least, timeMinMs), Infinity);
  const to = blocks.reduce((most, { timeMaxMs }) => Math.max(most, timeMaxMs), 0);
  return `${formatBytes(bytes)}, ${new Date(from).toISOString()} to ${new Date(to).toISOString()}`;
}

export function adoptionJson(adoption: Adoption): object {
  const { objects, plan, added, batches, unreadable, missing, storeId } = adoption;
  return {
    storeId,
    objects,
    added: added.map(({ id }) => id),
    known: plan.live.length - added.length,
    leftOut: plan.replaced.map(({ id }) => id),
    guessed: plan.guessed.map(({ id }) => id),
    doubtful: plan.doubtful.map(({ id }) => id),
    batches,
    unreadable,
    missing: missing.map(({ id }) => id),
  };
}
