import { unnamedAdvice, visibleText } from '@fleetflame/profile';
import type { Command } from 'commander';
import { connect, connectSymbols } from '../client/connection.ts';
import { coverageJson, coverageWarnings, formatPercent, formatTable, formatValue } from '../client/format.ts';
import { printJson, printLine, printWarnings } from '../client/output.ts';
import { type ScopeOptions, scopeOf } from '../client/scope.ts';

/** Build ids that the server tells of in one call. */
const STATUS_BATCH = 4096;

/** Binaries by CPU without names. */
export async function listUnnamed(
  options: ScopeOptions & { readonly limit: number },
  command: Command,
): Promise<void> {
  const scope = scopeOf(options, command);
  const answer = await connect(options.server).query.top({ scope, limit: 1 });
  const unnamed = answer.coverage?.unnamed ?? [];
  const shown = unnamed.slice(0, options.limit);
  const total = Number(answer.total);
  const unit = answer.coverage?.unit ?? '';
  const unnamedSelf = Number(answer.coverage?.unnamedSelf ?? 0n);
  const buildIds = [...new Set(shown.map((one) => one.buildId).filter((id) => /^[0-9a-f]{8,128}$/.test(id)))];
  const client = connectSymbols(options.server);
  const known = new Map(
    buildIds.length === 0
      ? []
      : (await client.status({ buildIds: buildIds.slice(0, STATUS_BATCH) })).binaries.map((one) => [
          one.buildId,
          one,
        ]),
  );
  const rows = shown.map((one) => {
    const status = known.get(one.buildId);
    return { ...one, self: Number(one.self), ...unnamedAdvice(one, status), source: status?.source ?? '' };
  });
  const omitted = unnamed.slice(shown.length);
  const omittedSelf = omitted.reduce((sum, one) => sum + Number(one.self), 0);
  if (options.json === true) {
    printJson({
      unit,
      total,
      unnamed: unnamedSelf,
      binaries: rows.map(({ binary, buildId, self, reason, why, remedy, source }) => ({
        binary,
        buildId,
        self,
        share: total === 0 ? 0 : self / total,
        reason,
        why,
        remedy,
        source,
      })),
      omitted: { binaries: omitted.length, self: omittedSelf },
      coverage: coverageJson(answer.coverage),
    });
    return;
  }
  const windowMs = Number(scope.toMs - scope.fromMs);
  if (total === 0) printLine('no samples in this range');
  else if (rows.length === 0)
    printLine(`every function of ${formatValue(total, answer.coverage, windowMs)} has a name`);
  else {
    printLine(
      `${formatPercent(unnamedSelf, total)} of ${formatValue(total, answer.coverage, windowMs)} has no function name`,
    );
    printLine(
      formatTable(
        ['self', '% of total', 'binary', 'build id', 'why'],
        rows.map(({ self, binary, buildId, why }) => [
          formatValue(self, answer.coverage, windowMs),
          formatPercent(self, total),
          binary === '' ? '(no file)' : binary,
          buildId === '' ? '-' : buildId.slice(0, 16),
          why,
        ]),
        [true, true],
      ),
    );
    if (omitted.length > 0) {
      printLine(`and ${omitted.length} more binaries with ${formatPercent(omittedSelf, total)} of the total`);
    }
    printLine('');
    for (const { binary, remedy } of oncePerRemedy(rows)) printLine(`${visibleText(binary)}: ${remedy}`);
  }
  // What has no name was said above.
  printWarnings(coverageWarnings(answer.coverage && { ...answer.coverage, unnamedSelf: 0n }, total));
}

interface Advised {
  readonly binary: string;
  readonly remedy: string;
}

/** Binaries with the same remedy on one line. */
function oncePerRemedy(rows: readonly Advised[]): readonly Advised[] {
  const binaries = new Map<string, string[]>();
  for (const { binary, remedy } of rows) {
    const names = binaries.get(remedy);
    if (names === undefined) binaries.set(remedy, [binary === '' ? '(no file)' : binary]);
    else if (!names.includes(binary)) names.push(binary);
  }
  return [...binaries].map(([remedy, names]) => ({ binary: names.join(', '), remedy }));
}
