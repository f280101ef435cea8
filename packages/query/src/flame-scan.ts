/**
 * Sums the samples of a scope into one tree of frames, reusing what earlier questions have summed:
 *
 *   blocks of hours ───────────────▶ partials ──▶ sum ─┐ copy
 *   shorter ones, step by step ────▶ partials ─────────┴▶ sum ─┐ copy
 *   segments ──────────────────────▶ partials ─────────────────┴▶ sum ─┐ copy
 *   where the range cuts a block ──▶ points in the range ──────────────┴▶ answer
 *
 * A block whose beginning the range cuts off counts in pieces (cut-pieces.ts), of which all but the
 * smallest are partials like those of blocks of about their length. Long parts stay and short ones
 * change, so a range that moves with the clock finds all but the last steps done. Everything is kept under what it depends on: immutable blocks, the question, and the
 * symbols of some build ids, which are looked at again each time. All trees of a service share one
 * FrameInterner, so that adding them to each other is arithmetic on numbers.
 */
import { createHash, randomUUID } from 'node:crypto';
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
import type { BlockEntry, TimeRange } from '@fleetflame/store';
import { cutPieces } from './cut-pieces.ts';
import { foldScope, gatherProfiles, needsFolding } from './fold-scope.ts';
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
  buckets = 0,
): Promise<FlameScan> {
  const frames = cache.frames();
  const symbols = new QuerySymbols(run.context.host);
  const question = JSON.stringify([
    [...run.typesOf(profileType)].sort(),
    scope.selector.source,
    groupBy,
    buckets,
  ]);
  const summer: Summer = { run, cache, scope, profileType, groupBy, buckets, frames, symbols, question };
  const plans = run.plan(scope, profileType);
  const answer = needsFolding(plans)
    ? await sumFolded(summer, plans)
    : await sumSteps(summer, planSteps(plans, question));
  run.coverage.samples(answer);
  run.coverage.unnamed(answer.builder.unnamed);
  run.coverage.stopped(answer.builder.stopped);
  run.coverage.framesTooDeep(answer.builder.tree.framesTooDeep);
  const [period = 0] = answer.periods;
  return { builder: answer.builder, period: answer.periods.size === 1 ? period : 0 };
}

/** Of values that do not add up: all of them together, kept nowhere. */
async function sumFolded(summer: Summer, plans: readonly PlannedBlock[]): Promise<Partial> {
  const { run, scope, profileType, groupBy, buckets } = summer;
  const sum = new Sum(summer);
  const edges = [run.scope.fromMs, run.scope.toMs];
  const gathered = await gatherProfiles(run, scope, profileType, plans, edges);
  const [entry] = plans.map((plan) => plan.entry);
  if (gathered === undefined || entry === undefined) return sum;
  const { block, series } = foldScope(gathered, edges);
  await sum.addBlock(
    { ...entry, id: `folded ${randomUUID()}` },
    block,
    sumStacks(block, { series }, groupBy, buckets),
  );
  return sum;
}

function planSteps(plans: readonly PlannedBlock[], question: string): Step[] {
  const parts: Part[] = [];
  const rests: Part[] = [];
  for (const plan of plans) {
    if (!plan.cut) {
      parts.push(wholeBlock(plan, question));
      continue;
    }
    if (plan.reachMs > 0) {
      // What reaches beyond the block's last sample has no piece of its own.
      rests.push(pieceOf(plan, plan.within, question));
      continue;
    }
    const { kept, rest } = cutPieces(plan.entry, plan.within);
    for (const range of kept) parts.push(pieceOf(plan, range, question));
    rests.push(pieceOf(plan, rest, question));
  }
  return stepsOf(parts, rests, question);
}

interface Summer {
  readonly run: QueryRun;
  readonly cache: FlameCache;
  readonly scope: Scope;
  readonly profileType: string;
  readonly groupBy: readonly string[];
  /** Of the values of the group-by labels; 0: groups are by value. */
  readonly buckets: number;
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
    const { cache, frames, symbols, run } = this.#summer;
    await run.breather.breathe();
    const buildIds = buildIdsToSymbolize(block, sums);
    await symbols.load(buildIds);
    await cache.addBlock(this.builder, { entry, block, sums, buildIds }, frames, symbols, run.breather);
    this.rows += sums.rows;
    for (const fingerprint of sums.series) this.series.add(fingerprint);
    if (sums.series.length > 0) this.periods.add(sums.period);
    for (const buildId of buildIds) this.symbols.set(buildId, symbols.version(buildId));
  }

  async add(partial: Partial): Promise<void> {
    const { breather } = this.#summer.run;
    for (const _ of this.builder.addBuilderInSteps(partial.builder)) await breather.breathe();
    this.#noteAll(partial);
  }

  #noteAll(partial: Partial): void {
    this.rows += partial.rows;
    for (const fingerprint of partial.series) this.series.add(fingerprint);
    for (const period of partial.periods) this.periods.add(period);
    for (const [buildId, version] of partial.symbols) this.symbols.set(buildId, version);
  }
}

/** A block that lies whole in the range, or a piece of one that does not. */
interface Part {
  readonly plan: PlannedBlock;
  /** Undefined: all of the block, points are not needed. */
  readonly range: TimeRange | undefined;
  /** How much time it spans. */
  readonly lengthMs: number;
  /** Of its partial in the cache. */
  readonly key: string;
}

function wholeBlock(plan: PlannedBlock, question: string): Part {
  const { timeMinMs, timeMaxMs } = plan.entry;
  return {
    plan,
    range: undefined,
    lengthMs: timeMaxMs + 1 - timeMinMs,
    key: `${plan.key} ${question}`,
  };
}

function pieceOf(plan: PlannedBlock, range: TimeRange, question: string): Part {
  const { fromMs, toMs } = range;
  return { plan, range, lengthMs: toMs - fromMs, key: `${plan.entry.id}@${fromMs}-${toMs} ${question}` };
}

function sumBlock(summer: Summer, block: Block, timeRange: TimeRange | undefined): StackSums {
  const series = selectSeries(block, summer.run.typesOf(summer.profileType), summer.scope.selector);
  return sumStacks(block, { series, timeRange }, summer.groupBy, summer.buckets);
}

/**
 * Parts are added in steps, those longer than so many ms in the first, and so on; the sum is kept
 * after each step. What is long changes seldom: the steps are about as many as there are ways in
 * which a live range changes, every hour, ten minutes, minute and ten seconds.
 */
const STEPS_MS = [3_600_000, 600_000, 60_000, 15_000, 0] as const;

interface Step {
  /** Their partials are kept. */
  readonly parts: readonly Part[];
  /** Summed for this question only. */
  readonly rests: readonly Part[];
  /** Of the sum of this step and those before it. */
  readonly sumKey: string;
}

function stepsOf(parts: readonly Part[], rests: readonly Part[], question: string): Step[] {
  const hash = createHash('sha256');
  const steps: Step[] = [];
  let before = 0;
  for (const [i, stepMs] of STEPS_MS.entries()) {
    const belowMs = STEPS_MS[i - 1] ?? Number.POSITIVE_INFINITY;
    const added = parts.filter(({ lengthMs }) => lengthMs > stepMs && lengthMs <= belowMs);
    const last = stepMs === 0 ? rests : [];
    const [first] = added;
    if (added.length + last.length === 0) continue;
    for (const { key } of [...added, ...last]) hash.update(`${key}\n`);
    // The sum of one part is its partial.
    const alone = first !== undefined && before === 0 && added.length + last.length === 1;
    before += added.length;
    const sumKey = alone ? first.key : `${hash.copy().digest('hex')} ${question}`;
    steps.push({ parts: added, rests: last, sumKey });
  }
  return steps;
}

/** The sum of all steps. Not to be changed: it may be in the cache. */
async function sumSteps(summer: Summer, steps: readonly Step[]): Promise<Partial> {
  const { run, cache, frames, symbols } = summer;
  let sum: Partial | undefined;
  let known = steps.length;
  while (known > 0 && sum === undefined) {
    sum = await cache.get(steps[known - 1]!.sumKey, frames, symbols);
    if (sum === undefined) known--;
  }
  for (const { parts, rests } of steps.slice(0, known)) {
    run.count('partial', parts.length + rests.length);
    // The sum stands for them; when one of them goes, the others are needed again.
    for (const { key } of parts) cache.touch(key);
  }
  let complete = true;
  for (const { parts, rests, sumKey } of steps.slice(known)) {
    const gathered = new Gathered(summer, sum);
    complete &&= (await gatherPartials(summer, parts, gathered)) === parts.length;
    if (rests.length === 0 && gathered.only !== undefined) {
      sum = gathered.only;
      continue;
    }
    const next = await gathered.sum();
    complete &&= (await addRests(summer, next, rests)) === rests.length;
    // What lacks a block that could not be read now must not answer later, when it can.
    if (complete) cache.set(sumKey, next);
    sum = next;
  }
  return sum ?? new Sum(summer);
}

/** Partials on their way into a sum; when they take too much memory, they are summed early. */
class Gathered {
  readonly #summer: Summer;
  #held: Partial[];
  #bytes = 0;
  #sum: Sum | undefined;

  /** @param before the sum of what came before them */
  constructor(summer: Summer, before: Partial | undefined) {
    this.#summer = summer;
    this.#held = before === undefined ? [] : [before];
  }

  /** The only one, when there is nothing to be summed. */
  get only(): Partial | undefined {
    return this.#sum === undefined && this.#held.length === 1 ? this.#held[0] : undefined;
  }

  async add(partial: Partial): Promise<void> {
    this.#held.push(partial);
    this.#bytes += partial.builder.sizeBytes;
    if (this.#bytes > this.#summer.run.context.checks.limits.gatheredBytes) await this.sum();
  }

  async sum(): Promise<Sum> {
    // A copy of the largest is cheaper than adding it to nothing.
    const start = this.#sum === undefined ? largestOf(this.#held) : undefined;
    this.#sum ??= new Sum(this.#summer, start);
    for (const partial of this.#held) {
      if (partial === start) continue;
      await this.#sum.add(partial);
      await this.#summer.run.breather.breathe();
    }
    this.#held = [];
    this.#bytes = 0;
    return this.#sum;
  }
}

function largestOf(partials: readonly Partial[]): Partial | undefined {
  let largest: Partial | undefined;
  for (const partial of partials) {
    if (largest === undefined || partial.builder.tree.length > largest.builder.tree.length) largest = partial;
  }
  return largest;
}

/** How many of them could be read. */
async function addRests(summer: Summer, sum: Sum, rests: readonly Part[]): Promise<number> {
  let added = 0;
  const plans = rests.map((part) => ({ ...part.plan, points: true, range: part.range }));
  for await (const { plan, block } of summer.run.scan(plans)) {
    await sum.addBlock(plan.entry, block, sumBlock(summer, block, plan.range));
    added++;
  }
  return added;
}

/** What each part adds; how many, which is fewer than parts when some blocks cannot be read. */
async function gatherPartials(summer: Summer, parts: readonly Part[], gathered: Gathered): Promise<number> {
  const { run, cache, frames, symbols } = summer;
  let count = 0;
  const toScan: (ReadPlan & { readonly part: Part })[] = [];
  for (const part of parts) {
    const partial = await cache.get(part.key, frames, symbols);
    if (partial === undefined) toScan.push({ ...part.plan, points: part.range !== undefined, part });
    else {
      count++;
      await gathered.add(partial);
    }
  }
  run.count('partial', count);
  for await (const { plan, block } of run.scan(toScan)) {
    const { key, range } = plan.part;
    const partial = new Sum(summer);
    await partial.addBlock(plan.entry, block, sumBlock(summer, block, range));
    // The rows of a block count once, with the rest that is not a piece.
    if (range !== undefined) partial.rows = 0;
    await run.breather.breathe();
    partial.builder.trim();
    await run.breather.breathe();
    cache.set(key, partial);
    count++;
    await gathered.add(partial);
  }
  return count;
}
