/**
 * Sums the samples of a scope into one tree of frames, reusing what earlier questions have summed:
 *
 *   block, whole in the range ──▶ partial ─┐
 *   block, whole in the range ──▶ partial ─┴──▶ merged ──▶ copy ─┬──▶ answer
 *   block, cut by the range ──────────────────────────────▶ add ─┘
 *
 * Partials and merged trees are kept: they depend on immutable blocks, the question and the symbols
 * of some build ids, which are looked at again each time. They share one FrameInterner, so that adding
 * them to each other is arithmetic on numbers.
 */
import { createHash } from 'node:crypto';
import {
  buildIdsToSymbolize,
  FlameBuilder,
  FlameTree,
  FrameInterner,
  selectSeries,
  sumStacks,
  type StackSums,
} from '@fleetflame/profile';
import { ByteLru } from './byte-lru.ts';
import type { QueryLimits } from './limits.ts';
import type { PlannedBlock } from './plan.ts';
import type { QueryMetrics } from './query-metrics.ts';
import type { QueryRun, ReadPlan } from './query-run.ts';
import type { Scope } from './scope.ts';
import { QuerySymbols } from './symbol-source.ts';

/** What some blocks add to a flame graph. */
interface Partial {
  readonly builder: FlameBuilder;
  readonly rows: number;
  /** Fingerprints of the series. */
  readonly series: ReadonlySet<number>;
  readonly periods: ReadonlySet<number>;
  /** Build ids that symbols were asked for, and which they had: with others, this is stale. */
  readonly symbols: ReadonlyMap<string, string>;
}

export interface FlameScan {
  readonly builder: FlameBuilder;
  /** Sampling period that all series share, else 0. */
  readonly period: number;
}

/** The partial answers of a query service, and the frames that they share. */
export class FlameCache {
  #frames = new FrameInterner();
  readonly #partials: ByteLru<Partial>;
  readonly #maxFrameBytes: number;

  constructor(limits: QueryLimits, metrics: QueryMetrics) {
    this.#partials = new ByteLru('partial', limits.partialCacheBytes, metrics);
    this.#maxFrameBytes = limits.frameBytes;
  }

  /**
   * The frames for one query. Interned names are never removed one by one; when there are too many, a
   * new set is begun, and what was summed with the old one is no longer found.
   */
  frames(): FrameInterner {
    if (this.#frames.sizeBytes > this.#maxFrameBytes) this.#frames = new FrameInterner();
    return this.#frames;
  }

  /** A partial that was summed with these frames and the symbols of now. */
  async get(key: string, frames: FrameInterner, symbols: QuerySymbols): Promise<Partial | undefined> {
    const partial = this.#partials.get(key);
    if (partial === undefined || partial.builder.tree.frames !== frames) return undefined;
    await symbols.load(partial.symbols.keys());
    for (const [buildId, version] of partial.symbols) {
      if (symbols.version(buildId) !== version) return undefined;
    }
    return partial;
  }

  set(key: string, partial: Partial): void {
    const bytes = partial.builder.sizeBytes + partial.series.size * 32 + partial.symbols.size * 200;
    this.#partials.set(key, partial, bytes);
  }
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
    for await (const { block } of run.scan(cut.map((plan) => ({ ...plan, points: true })))) {
      const timeRange = { fromMs: scope.fromMs, toMs: scope.toMs };
      const series = selectSeries(block, profileType, scope.selector);
      const sums = sumStacks(block, { series, timeRange }, groupBy);
      await symbols.load(buildIdsToSymbolize(block, sums));
      answer.builder.addBlock(block, sums, symbols.symbolize);
      answer.note(sums);
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

  constructor({ groupBy, frames }: Summer, start?: Partial) {
    this.builder = start?.builder.clone() ?? new FlameBuilder({ groupBy, tree: new FlameTree({ frames }) });
    if (start !== undefined) this.#noteAll(start);
  }

  note(sums: StackSums): void {
    this.rows += sums.rows;
    for (const fingerprint of sums.series) this.series.add(fingerprint);
    if (sums.series.length > 0) this.periods.add(sums.period);
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

/** The sum of blocks that lie whole in the range. Not to be changed: it may be in the cache. */
async function sumWhole(summer: Summer, plans: readonly PlannedBlock[]): Promise<Partial> {
  const { run, cache, frames, symbols, question } = summer;
  const [only] = plans;
  if (only === undefined) return new Sum(summer);
  const mergedKey = plans.length === 1 ? keyOf(only, question) : mergedKeyOf(plans, question);
  const known = await cache.get(mergedKey, frames, symbols);
  if (known !== undefined) {
    run.count('partial', plans.length);
    return known;
  }
  const merged = new Sum(summer);
  const toScan: ReadPlan[] = [];
  for (const plan of plans) {
    const partial = plans.length === 1 ? undefined : await cache.get(keyOf(plan, question), frames, symbols);
    if (partial === undefined) {
      toScan.push({ ...plan, points: false });
      continue;
    }
    merged.add(partial);
    run.count('partial', 1);
    await run.breather.breathe();
  }
  const answered = new Set<string>();
  for await (const { plan, block } of run.scan(toScan)) {
    const series = selectSeries(block, summer.profileType, summer.scope.selector);
    const sums = sumStacks(block, { series }, summer.groupBy);
    const buildIds = buildIdsToSymbolize(block, sums);
    await symbols.load(buildIds);
    const partial = new Sum(summer);
    partial.builder.addBlock(block, sums, symbols.symbolize);
    partial.note(sums);
    for (const buildId of buildIds) partial.symbols.set(buildId, symbols.version(buildId));
    partial.builder.trim();
    cache.set(keyOf(plan, question), partial);
    answered.add(plan.entry.id);
    if (plans.length === 1) return partial;
    merged.add(partial);
  }
  const complete = toScan.every((plan) => answered.has(plan.entry.id));
  // What lacks a block that could not be read now must not answer later, when it can.
  if (complete && plans.length > 1) cache.set(mergedKey, merged);
  return merged;
}

function keyOf(plan: PlannedBlock, question: string): string {
  return `${plan.entry.id} ${question}`;
}

function mergedKeyOf(plans: readonly PlannedBlock[], question: string): string {
  const hash = createHash('sha256');
  for (const plan of plans) hash.update(`${plan.entry.id} `);
  return `${hash.digest('hex')} ${question}`;
}
