import { seriesStepMs } from '@fleetflame/profile';
import type { Command } from 'commander';
import { formatDuration, parseDurationMs } from '../client/duration.ts';
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
import { collect, parseCount } from './options.ts';

interface SeriesOptions extends ScopeOptions {
  readonly step: string | undefined;
  readonly by: readonly string[];
  readonly limit: number;
}

const BARS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;
/** Widest line of bars: longer series are summed to it. */
const BAR_COLUMNS = 60;

/** CPU over time. */
export function addSeries(program: Command): void {
  addScopeOptions(program.command('series').description('CPU over time, by label'), '1h')
    .option('--step <duration>', 'width of a step (default: a round one, for at most 240 steps)')
    .option('--by <label>', 'one line per value of this label', collect, [])
    .option(
      '--limit <count>',
      'so many of the largest groups, the rest is summed',
      parseCount('--limit', 1, 1000),
      20,
    )
    .option('--json', 'for scripts: sums per step in the unit of the profile type')
    .action(async (options: SeriesOptions, command: Command) => {
      const scope = scopeOf(options, command);
      const { step } = options;
      const rangeMs = Number(scope.toMs - scope.fromMs);
      const stepMs = step === undefined ? seriesStepMs(rangeMs) : parseDurationMs(step, '--step');
      const answer = await connect(options.server).query.series({
        scope,
        stepMs: BigInt(stepMs),
        groupBy: [...options.by],
        limit: options.limit,
      });
      const unit = answer.coverage?.unit ?? '';
      const total = answer.groups.reduce((sum, group) => sum + Number(group.total), 0);
      if (options.json === true) {
        printJson({
          unit,
          total,
          stepMs,
          timesMs: answer.timesMs.map(Number),
          groups: answer.groups.map((group) => ({
            labels: group.labels,
            rest: group.rest,
            total: Number(group.total),
            dataMs: Number(group.dataMs),
            values: group.values.map(Number),
          })),
          coverage: coverageJson(answer.coverage),
        });
        return;
      }
      printLine(rangeLine(answer.coverage, scope));
      if (total === 0) printLine('no samples in this range');
      else {
        const rows = answer.groups.map((group) => {
          const values = group.values.map(Number);
          const peak = Math.max(0, ...values);
          return [
            group.rest ? '(rest)' : Object.values(group.labels).join(', ') || 'all',
            formatValue(Number(group.total), answer.coverage, rangeMs),
            formatPercent(Number(group.total), total),
            formatValue(peak, answer.coverage, stepMs),
            formatDuration(Number(group.dataMs)),
            bars(values),
          ];
        });
        printLine(
          formatTable(
            [options.by.join(', ') || 'series', 'average', '%', 'peak step', 'with data', 'over time'],
            rows,
            [false, true, true, true, true],
          ),
        );
      }
      printWarnings(coverageWarnings(answer.coverage, total));
    });
}

/** A line of bars, at most BAR_COLUMNS wide, scaled to its own largest column. */
function bars(values: readonly number[]): string {
  const columns = Math.min(BAR_COLUMNS, values.length);
  const sums = new Float64Array(columns);
  values.forEach((value, i) => {
    const column = Math.floor((i * columns) / values.length);
    sums[column] = (sums[column] ?? 0) + value;
  });
  const peak = Math.max(...sums);
  return Array.from(sums, (sum) =>
    sum === 0 ? ' ' : (BARS[Math.min(BARS.length - 1, Math.floor((sum / peak) * BARS.length))] ?? '█'),
  ).join('');
}
