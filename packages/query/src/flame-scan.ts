import {
  buildIdsToSymbolize,
  FlameBuilder,
  selectSeries,
  sumStacks,
  type Block,
  type StackSums,
} from '@fleetflame/profile';
import { ByteLru } from './byte-lru.ts';
import type { QueryLimits } from './limits.ts';
import type { PlannedBlock } from './plan.ts';
import type { QueryMetrics } from './query-metrics.ts';
import type { QueryRun, ReadPlan } from './query-run.ts';
import type { Scope } from './scope.ts';
import { QuerySymbols } from './symbol-source.ts';

/** What one block adds to a flame graph: kept, since block and answer never change but for symbols. */
interface Partial {
  readonly builder: FlameBuilder;
  readonly rows: number;
  readonly series: StackSums['series'];
  readonly period: number;
  /** Build ids that symbols were asked for, and which they had: with others, this is stale. */
  readonly symbols: readonly (readonly [buildId: string, version: string])[];
}

export type PartialCache = ByteLru<Partial>;

export function createPartialCache(limits: QueryLimits, metrics: QueryMetrics): PartialCache {
  return new ByteLru('partial', limits.partialCacheBytes, metrics);
}

export interface FlameScan {
  readonly builder: FlameBuilder;
  /** Sampling period that all series share, else 0. */
  readonly period: number;
}

/** Sums the scope's samples into one tree of frames. */
export async function scanFlame(
  run: QueryRun,
  partials: PartialCache,
  scope: Scope,
  profileType: string,
  groupBy: readonly string[],
): Promise<FlameScan> {
  const symbols = new QuerySymbols(run.context.symbols, run.context.log);
  const builder = new FlameBuilder({ groupBy });
  const periods = new Set<number>();
  const question = JSON.stringify([profileType, scope.selector.source, groupBy]);
  const plans: ReadPlan[] = [];

  const add = (partial: Omit<Partial, 'builder' | 'symbols'>): void => {
    run.coverage.samples(partial);
    if (partial.series.length > 0) periods.add(partial.period);
  };

  for (const plan of run.plan(scope, profileType)) {
    const partial = plan.cut ? undefined : await freshPartial(partials, partialKey(plan, question), symbols);
    if (partial === undefined) {
      plans.push({ ...plan, points: plan.cut });
      continue;
    }
    builder.addBuilder(partial.builder);
    add(partial);
    run.count('partial', 1);
    await run.breather.breathe();
  }

  for await (const { plan, block } of run.scan(plans)) {
    const sums = sumStacks(
      block,
      {
        series: selectSeries(block, profileType, scope.selector),
        timeRange: plan.cut ? { fromMs: scope.fromMs, toMs: scope.toMs } : undefined,
      },
      groupBy,
    );
    const buildIds = buildIdsToSymbolize(block, sums);
    await symbols.load(buildIds);
    add(sums);
    if (plan.cut) {
      builder.addBlock(block, sums, symbols.symbolize);
      continue;
    }
    const partial = makePartial(block, sums, groupBy, symbols, buildIds);
    builder.addBuilder(partial.builder);
    partials.set(partialKey(plan, question), partial, partial.builder.sizeBytes + sums.series.length * 8);
  }
  run.coverage.unnamed(builder.unnamed);
  const [period] = periods;
  return { builder, period: periods.size === 1 ? (period ?? 0) : 0 };
}

function partialKey(plan: PlannedBlock, question: string): string {
  return `${plan.entry.id} ${question}`;
}

async function freshPartial(
  partials: PartialCache,
  key: string,
  symbols: QuerySymbols,
): Promise<Partial | undefined> {
  const partial = partials.get(key);
  if (partial === undefined) return undefined;
  await symbols.load(partial.symbols.map(([buildId]) => buildId));
  return partial.symbols.every(([buildId, version]) => symbols.version(buildId) === version)
    ? partial
    : undefined;
}

function makePartial(
  block: Block,
  sums: StackSums,
  groupBy: readonly string[],
  symbols: QuerySymbols,
  buildIds: readonly string[],
): Partial {
  const builder = new FlameBuilder({ groupBy });
  builder.addBlock(block, sums, symbols.symbolize);
  builder.trim();
  const versions = buildIds.map((buildId) => [buildId, symbols.version(buildId)] as const);
  return { builder, rows: sums.rows, series: sums.series, period: sums.period, symbols: versions };
}
