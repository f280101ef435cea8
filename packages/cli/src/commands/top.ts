import type { TopFunction } from '@fleetflame/proto/query/v1/query';
import type { Command } from 'commander';
import { connect } from '../client/connection.ts';
import {
  coverageJson,
  coverageWarnings,
  formatPercent,
  formatTable,
  formatValue,
  rangeLine,
} from '../client/format.ts';
import { printJson, printLine, printWarnings } from '../client/output.ts';
import { addScopeOptions, type ScopeOptions, scopeOf } from '../client/scope.ts';
import { parseCount } from './options.ts';

/** Functions by self and total. */
export function addTop(program: Command): void {
  addScopeOptions(program.command('top').description('functions by self and total CPU'), '5m')
    .option('--limit <count>', 'how many functions', parseCount('--limit', 1, 100_000), 30)
    .option('--json', 'for scripts: values are integers in the unit of the profile type')
    .action(async (options: ScopeOptions & { readonly limit: number }, command: Command) => {
      const scope = scopeOf(options, command);
      const answer = await connect(options.server).query.top({ scope, limit: options.limit });
      const total = Number(answer.total);
      const unit = answer.coverage?.unit ?? '';
      if (options.json === true) {
        printJson({
          unit,
          total,
          functions: answer.functions.map((f) => ({
            name: f.name,
            filename: f.filename,
            binary: f.binary,
            buildId: f.buildId,
            startLine: f.startLine,
            kind: f.kind,
            partlyInlined: f.partlyInlined,
            self: Number(f.self),
            total: Number(f.total),
          })),
          omitted: { functions: Number(answer.omittedFunctions), self: Number(answer.omittedSelf) },
          coverage: coverageJson(answer.coverage),
        });
        return;
      }
      const windowMs = Number(scope.toMs - scope.fromMs);
      printLine(rangeLine(answer.coverage, scope));
      if (total === 0) printLine('no samples in this range');
      else {
        printLine(`total ${formatValue(total, answer.coverage, windowMs)}`);
        const rows = answer.functions.map((f) => [
          formatValue(Number(f.self), answer.coverage, windowMs),
          formatPercent(Number(f.self), total),
          formatValue(Number(f.total), answer.coverage, windowMs),
          formatPercent(Number(f.total), total),
          f.kind,
          f.binary,
          [f.name, sourceOf(f)].filter((part) => part !== '').join('  '),
        ]);
        const header = ['self', '%', 'total', '%', 'kind', 'binary', 'function and where it begins'];
        printLine(formatTable(header, rows, [true, true, true, true]));
        if (answer.omittedFunctions > 0n) {
          printLine(
            `and ${answer.omittedFunctions} more functions with ${formatPercent(Number(answer.omittedSelf), total)} of self`,
          );
        }
      }
      printWarnings(coverageWarnings(answer.coverage, total));
    });
}

/** file:line, as far as it is known. */
function sourceOf({ filename, startLine }: TopFunction): string {
  return filename !== '' && startLine > 0 ? `${filename}:${startLine}` : filename;
}
