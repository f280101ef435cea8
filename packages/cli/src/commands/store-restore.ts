import { FleetflameError } from '@fleetflame/profile';
import {
  adviseBackup,
  ageText,
  CATALOG_TABLES,
  listCopies,
  readManifest,
  restoreCatalog,
  withOfflineObjects,
  type BackupAdvice,
  type CatalogCopy,
  type ObjectStore,
  type Restoration,
} from '@fleetflame/store';
import type { Command } from 'commander';
import { Registry } from 'prom-client';
import { parseTimeMs } from '../client/duration.ts';
import { BACKUP_NEEDED } from '../client/exit-code.ts';
import { formatBytes, formatTable } from '../client/format.ts';
import { printJson, printLine, printWarnings, showProgress } from '../client/output.ts';
import { Config } from '../config/config.ts';
import { storePlace } from '../config/store-place.ts';
import { handBack } from '../privileges/take-over.ts';
import { LIMITS } from '../server/run-server.ts';
import { adoptionJson, onProgress, reportAdoption } from './store-adopt.ts';

/** `store restore-catalog`. */
export function addRestoreCatalog(store: Command): void {
  const restore = store
    .command('restore-catalog')
    .description(
      'put a copy of the catalog in place of a lost or damaged one, and add what the objects know that is newer; of PostgreSQL, ' +
        `say which backup to restore (exit code ${BACKUP_NEEDED}); takes the settings of up`,
    )
    .option('--list', 'only show which copies there are')
    .option('--copy <name>', 'this one (default: the newest)')
    .option('--at <time>', 'the newest that was made until then: RFC 3339, Unix seconds')
    .option('--yes', 'really; without it, only what would be done is shown')
    .option('--json', 'for scripts');
  Config.addFlags(restore, 'up').action(run);
}

async function run(flags: Readonly<Record<string, unknown>>): Promise<void> {
  const config = await Config.load('up', flags, process.env, LIMITS);
  const name = textOf(flags['copy']);
  const at = textOf(flags['at']);
  const atMs = at === undefined ? undefined : parseTimeMs(at, '--at', Date.now());
  if (name !== undefined && atMs !== undefined) {
    throw new FleetflameError('invalid_input', '--copy and --at exclude each other: give one of them');
  }
  const [apply, json] = [flags['yes'] === true, flags['json'] === true];
  const options = { ...storePlace(config), registry: new Registry() };
  await withOfflineObjects(options, async ({ objects, catalogConfig }) => {
    if (catalogConfig.engine !== 'sqlite') {
      const advice = await adviseBackup(objects, catalogConfig);
      if (json) printJson({ applied: false, ...advice, tables: CATALOG_TABLES });
      else reportAdvice(advice);
      process.exitCode = BACKUP_NEEDED;
      return;
    }
    if (flags['list'] === true) {
      await list(objects, json);
      return;
    }
    const { path } = catalogConfig;
    const done = await restoreCatalog({ objects, path, name, atMs, nowMs: Date.now(), apply, onProgress });
    showProgress('');
    if (apply) handBack(options.dataDir);
    if (json) printJson(restorationJson(done, apply));
    else report(done, path, apply);
  });
}

async function list(objects: ObjectStore, json: boolean): Promise<void> {
  const copies: CatalogCopy[] = [];
  const warnings: string[] = [];
  for (const name of await listCopies(objects)) {
    try {
      copies.push(await readManifest(objects, name));
    } catch (error) {
      if (!(error instanceof FleetflameError)) throw error;
      warnings.push(error.message);
    }
  }
  printWarnings(warnings);
  if (json) {
    printJson({ copies: copies.map(copyJson) });
    return;
  }
  if (copies.length === 0) printLine('there is no copy of the catalog in object storage');
  else {
    const nowMs = Date.now();
    const rows = copies.map(
      ({ name, createdMs, sizeBytes, storedBytes, blocks, newestSampleMs, storeId }) => [
        name,
        ageText(nowMs - createdMs),
        formatBytes(sizeBytes),
        formatBytes(storedBytes),
        String(blocks),
        timeText(newestSampleMs),
        storeId,
      ],
    );
    const header = ['copy', 'age', 'catalog', 'stored', 'blocks', 'newest sample', 'store'];
    printLine(formatTable(header, rows, [false, true, true, true, true, false, false]));
  }
}

function report({ copy, adoption, aside }: Restoration, path: string, applied: boolean): void {
  printLine(
    `copy ${copy.name}: ${formatBytes(copy.sizeBytes)}, ${copy.blocks} blocks, newest sample ${timeText(copy.newestSampleMs)}`,
  );
  reportAdoption(adoption, applied);
  if (!applied) printLine(`Nothing was changed: --yes puts it in place as ${path}.`);
  else {
    printLine(`It is the catalog now (${path}); the next start of a server uses it.`);
    if (aside !== undefined) printLine(`What was there before is ${aside}, and may be removed.`);
  }
}

function reportAdvice({ storeId, objects, newestObjectMs, schemaVersion, found }: BackupAdvice): void {
  printLine('The catalog is in PostgreSQL, whose backups are its own: nothing was changed here.');
  const newest = timeText(newestObjectMs);
  printLine(
    `Object storage is store ${storeId ?? 'without an id'}: ${objects} objects of blocks, the last written ${newest}.`,
  );
  printLine(`The database of catalog.url now: ${foundText(found)}.`);
  printLine(
    'Stop all servers. Restore the newest backup from before the catalog was lost; with an archive of the WAL, recover to the last moment ' +
      `before that, which is not long after ${newest}. It is the right one when it has the tables ${CATALOG_TABLES.join(', ')}, and says`,
  );
  printLine(`  select value from meta where name = 'store_id'        -- ${storeId ?? '(any)'}`);
  printLine(`  select value from meta where name = 'schema_version'  -- ${schemaVersion} at most`);
  printLine(
    `  select max(created_ms) from blocks                    -- ${newestObjectMs} (${newest}) at most; the nearer, the better`,
  );
  printLine(
    'Then fleetflame store adopt --yes, with the same settings, adds what was written since that backup. It also makes a catalog ' +
      'anew in an empty database, where there is no backup.',
  );
}

function foundText({
  problem,
  storeId,
  schemaVersion,
  blocks,
  newestCommitMs,
}: BackupAdvice['found']): string {
  if (problem !== undefined) return `it does not answer (${problem})`;
  if (schemaVersion === undefined) return 'it holds no catalog';
  return `it holds a catalog of store ${storeId ?? 'without an id'}, with ${blocks} live blocks, the last committed ${timeText(newestCommitMs)}`;
}

function restorationJson({ copy, adoption, aside }: Restoration, applied: boolean): object {
  return { applied, copy: copyJson(copy), aside: aside ?? null, ...adoptionJson(adoption) };
}

function copyJson({ pieces, ...copy }: CatalogCopy): object {
  return { ...copy, pieces: pieces.length };
}

function timeText(ms: number): string {
  return ms === 0 ? 'none' : new Date(ms).toISOString();
}

function textOf(flag: unknown): string | undefined {
  return typeof flag === 'string' ? flag : undefined;
}
