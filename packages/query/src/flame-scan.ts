/**
 * Sums the samples of a scope into one tree of frames, reusing what earlier questions have summed:
 *
 *   day and hour blocks, whole in the range ──▶ partials ──▶ sum ─┐ copy
 *   smaller, younger blocks, level by level ──▶ partials ─────────┴▶ sum ─┐ copy
 *   segments ─────────────────────────────────▶ partials ─────────────────┴▶ sum ─┐ copy
 *   blocks that the range cuts ───────────────▶ points in the range ──────────────┴▶ answer
 *
 * Old blocks stay and young ones change, so a range that moves with the clock finds all but the last
 * steps done. Everything is kept under what it depends on: immutable blocks, the question, and the
 * symbols of some build ids, which are looked at again each time. All trees of a service share one
 * FrameInterner, so that adding them to each other is arithmetic on numbers.
 */
import { createHash } from 'node:crypto';
import {
  buildIdsToSymbolize,
  FlameBuilder,
  FlameTree,
  selectSeries,
  sumStacks,
  type Block,
  type FrameInterner,
  type StackSums,
} from '@fleetflame/profile';
import type { BlockEntry } from '@fleetflame/store';
import type { FlameCache, Partial } from './flame-cache.ts';
import type { PlannedBlock } from './plan.ts';
import type { QueryRun, ReadPlan } from './query-run.ts';
import type { Scope } from './scope.ts';
import { QuerySymbols } from './symbol-source.ts';

export interface FlameScan {
  readonly builder: FlameBuilder;
  /** Sampling period that all series share, else 0. */
  readonly period: number;
}

export async function scanFlame(
  run: QueryRun,
  cache: FlameCache,
  scope: Scope,
  profileType: string,
  groupBy: readonly string[],
): Promise<FlameScan> {
  const frames = cache.frames();
  const symbols = new QuerySymbols(run.context.symbols, run.context.log);
  const question = JSON.stringify([profileType, scope.selector.source, groupBy]);
  const planned = run.plan(scope, profileType);
  const whole = planned.filter((plan) => !plan.cut);
  const cut = planned.filter((plan) => plan.cut);

  const summer: Summer = { run, cache, scope, profileType, groupBy, frames, symbols, question };
  const merged = await sumWhole(summer, whole);
  const answer = cut.length === 0 ? merged : new Sum(summer, merged);
  if (answer instanceof Sum) {
    for await (const { plan, block } of run.scan(cut.map((plan) => ({ ...plan, points: true })))) {
      const timeRange = { fromMs: scope.fromMs, toMs: scope.toMs };
      const series = selectSeries(block, profileType, scope.selector);
      const sums = sumStacks(block, { series, timeRange }, groupBy);
      await answer.addBlock(plan.entry, block, sums);
    }
  }
  run.coverage.samples(answer);
  run.coverage.unnamed(answer.builder.unnamed);
  const [period = 0] = answer.periods;
  return { builder: answer.builder, period: answer.periods.size === 1 ? period : 0 };
}

interface Summer {
  readonly run: QueryRun;
  readonly cache: FlameCache;
  readonly scope: Scope;
  readonly profileType: string;
  readonly groupBy: readonly string[];
  readonly frames: FrameInterner;
  readonly symbols: QuerySymbols;
  readonly question: string;
}

/** A partial under construction: empty, or a copy of another one to begin with. */
class Sum implements Partial {
  readonly builder: FlameBuilder;
  rows = 0;
  readonly series = new Set<number>();
  readonly periods = new Set<number>();
  readonly symbols = new Map<string, string>();
  readonly #summer: Summer;

  constructor(summer: Summer, start?: Partial) {
    const { groupBy, frames } = summer;
    this.#summer = summer;
    this.builder = start?.builder.clone() ?? new FlameBuilder({ groupBy, tree: new FlameTree({ frames }) });
    if (start !== undefined) this.#noteAll(start);
  }

  /** Adds what `sumStacks` has found in a block. */
  async addBlock(entry: BlockEntry, block: Block, sums: StackSums): Promise<void> {
    const { cache, frames, symbols } = this.#summer;
    const buildIds = buildIdsToSymbolize(block, sums);
    await symbols.load(buildIds);
    await cache.addBlock(this.builder, { entry, block, sums, buildIds }, frames, symbols);
    this.rows += sums.rows;
    for (const fingerprint of sums.series) this.series.add(fingerprint);
    if (sums.series.length > 0) this.periods.add(sums.period);
    for (const buildId of buildIds) this.symbols.set(buildId, symbols.version(buildId));
  }

  add(partial: Partial): void {
    this.builder.addBuilder(partial.builder);
    this.#noteAll(partial);
  }

  #noteAll(partial: Partial): void {
    this.rows += partial.rows;
    for (const fingerprint of partial.series) this.series.add(fingerprint);
    for (const period of partial.periods) this.periods.add(period);
    for (const [buildId, version] of partial.symbols) this.symbols.set(buildId, version);
  }
}

/** The blocks of one level, and the key of the sum of them and of all higher levels. */
interface Stage {
  readonly plans: readonly PlannedBlock[];
  readonly sumKey: string;
}

/** The sum of blocks that lie whole in the range. Not to be changed: it may be in the cache. */
async function sumWhole(summer: Summer, plans: readonly PlannedBlock[]): Promise<Partial> {
  const { run, cache, frames, symbols, question } = summer;
  const stages = stagesOf(plans, question);
  let sum: Partial | undefined;
  let known = stages.length;
  while (known > 0 && sum === undefined) {
    sum = await cache.get(stages[known - 1]!.sumKey, frames, symbols);
    if (sum === undefined) known--;
  }
  for (const { plans: summed } of stages.slice(0, known)) {
    run.count('partial', summed.length);
    // The sum stands for them; when one of them goes, the others are needed again.
    for (const plan of summed) cache.touch(keyOf(plan, question));
  }
  let complete = true;
  for (const { plans: added, sumKey } of stages.slice(known)) {
    const partials = await partialsOf(summer, added);
    complete &&= partials.length === added.length;
    const [only] = partials;
    if (sum === undefined && only !== undefined && partials.length === 1) {
      sum = only;
      continue;
    }
    const next: Sum = new Sum(summer, sum);
    for (const partial of partials) {
      next.add(partial);
      await run.breather.breathe();
    }
    // What lacks a block that could not be read now must not answer later, when it can.
    if (complete) cache.set(sumKey, next);
    sum = next;
  }
  return sum ?? new Sum(summer);
}

/** What each block adds; fewer than blocks when some cannot be read. */
async function partialsOf(summer: Summer, plans: readonly PlannedBlock[]): Promise<Partial[]> {
  const { run, cache, frames, symbols, question } = summer;
  const partials: Partial[] = [];
  const toScan: ReadPlan[] = [];
  for (const plan of plans) {
    const partial = await cache.get(keyOf(plan, question), frames, symbols);
    if (partial === undefined) toScan.push({ ...plan, points: false });
    else partials.push(partial);
  }
  run.count('partial', partials.length);
  for await (const { plan, block } of run.scan(toScan)) {
    const series = selectSeries(block, summer.profileType, summer.scope.selector);
    const partial = new Sum(summer);
    await partial.addBlock(plan.entry, block, sumStacks(block, { series }, summer.groupBy));
    partial.builder.trim();
    cache.set(keyOf(plan, question), partial);
    partials.push(partial);
  }
  return partials;
}

function keyOf(plan: PlannedBlock, question: string): string {
  return `${plan.entry.id} ${question}`;
}

/** Highest level first; the first stage of one block alone goes by the block's own key. */
function stagesOf(plans: readonly PlannedBlock[], question: string): Stage[] {
  const byLevel = [...Map.groupBy(plans, (plan) => plan.entry.level)].sort(([a], [b]) => b - a);
  const hash = createHash('sha256');
  let blocks = 0;
  return byLevel.map(([, added]) => {
    for (const plan of added) hash.update(`${plan.entry.id} `);
    blocks += added.length;
    const [first] = added;
    const alone = blocks === 1 && first !== undefined;
    const sumKey = alone ? keyOf(first, question) : `${hash.copy().digest('hex')} ${question}`;
    return { plans: added, sumKey };
  });
}
