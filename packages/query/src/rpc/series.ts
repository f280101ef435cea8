import { create } from '@bufbuild/protobuf';
import { FleetflameError, selectSeries, SERVICE_NAME, SeriesBuilder } from '@fleetflame/profile';
import {
  SeriesResponseSchema,
  type SeriesRequest,
  type SeriesResponse,
} from '@fleetflame/proto/query/v1/query';
import { ByteLru } from '../byte-lru.ts';
import type { CacheShares } from '../cache-share.ts';
import { foldScope, gatherProfiles, needsFolding } from '../fold-scope.ts';
import { footersDecide, type PlannedBlock } from '../plan.ts';
import type { QueryMetrics } from '../query-metrics.ts';
import { needsOf, QueryRun, type QueryContext, type ReadPlan } from '../query-run.ts';
import type { LimitCheck, Scope } from '../scope.ts';

/** Series of one step are as long as this at least, so that small answers may have many groups. */
const MIN_STEPS = 16;

/** What one block adds to a series, in steps of its own range. */
interface SeriesPartial {
  readonly builder: SeriesBuilder;
  readonly rows: number;
  readonly series: readonly number[];
}

export type SeriesCache = ByteLru<SeriesPartial>;

export function createSeriesCache(shares: CacheShares, metrics: QueryMetrics): SeriesCache {
  return new ByteLru(shares('series'), metrics);
}

interface Question {
  readonly scope: Scope;
  readonly profileType: string;
  readonly stepMs: number;
  readonly groupBy: readonly string[];
  readonly maxGroups: number;
}

export async function series(
  context: QueryContext,
  cache: SeriesCache,
  request: SeriesRequest,
  signal: AbortSignal,
): Promise<SeriesResponse> {
  const { checks } = context;
  const scope = checks.scope(request.scope);
  const stepMs = checkStep(checks, request, scope);
  const groupBy = checks.groupBy(request.groupBy);
  const limit = checkLimit(checks, request.limit, Math.ceil((scope.toMs - scope.fromMs) / stepMs) + 1);
  return QueryRun.with(
    context,
    scope,
    signal,
    async (run) => {
      const profileType = run.resolveType(scope);
      const steps = Math.max(MIN_STEPS, Math.ceil((scope.toMs - scope.fromMs) / stepMs) + 1);
      const maxGroups = Math.floor(checks.limits.seriesNumbers / steps);
      const { fromMs, toMs } = scope;
      const builder = new SeriesBuilder({ fromMs, toMs, stepMs, groupBy, maxGroups });
      await fill(run, builder, { scope, profileType, stepMs, groupBy, maxGroups }, cache);
      return create(SeriesResponseSchema, {
        timesMs: Array.from(builder.timesMs, BigInt),
        groups: builder.finish(limit).map(({ values, sums, total, rest }) => ({
          labels: rest ? {} : labelsOf(groupBy, values),
          values: Array.from(sums, BigInt),
          total: BigInt(total),
          rest,
          dataMs: BigInt(dataMs(sums, builder.timesMs, stepMs, scope)),
        })),
        coverage: run.coverage.build(),
      });
    },
    needsOf(scope, groupBy, stepMs),
  );
}

/** Of the range that is meant: an end that is left out is now. */
function checkStep(checks: LimitCheck, request: SeriesRequest, { fromMs, toMs }: Scope): number {
  const stepMs = Number(request.stepMs);
  if (stepMs < checks.limits.stepMs) {
    throw new FleetflameError(
      'invalid_input',
      `step_ms is ${stepMs}: it is at least ${checks.limits.stepMs}, since samples have a resolution of a second.`,
      { field: 'step_ms' },
    );
  }
  // Steps begin at multiples of their length: one more than fits may be touched.
  const steps = Math.ceil((toMs - fromMs) / stepMs);
  checks.atMost(
    'steps',
    steps,
    'step_ms',
    `The time range has ${steps} steps of ${stepMs} ms, at most ${checks.limits.steps} are answered: use a larger step_ms.`,
  );
  return stepMs;
}

/** How many groups are listed: what was asked for, or as many as an answer of so many steps has room for. */
function checkLimit(checks: LimitCheck, asked: number, steps: number): number {
  const { seriesGroups, seriesAnswerNumbers } = checks.limits;
  const most = Math.max(1, Math.min(seriesGroups, Math.floor(seriesAnswerNumbers / steps)));
  const limit = checks.count('seriesGroups', asked, most, 'limit');
  checks.atMost(
    'seriesAnswerNumbers',
    limit === 1 ? 0 : limit * steps,
    'limit',
    `${limit} groups of ${steps} steps are ${limit * steps} numbers, at most ${seriesAnswerNumbers} are answered: ask for fewer groups, or use a larger step_ms.`,
  );
  return limit;
}

/** A series without one of the labels has an empty set for it: "" and absent are the same. */
function labelsOf(groupBy: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    groupBy.map((name, i) => [name, values[i] ?? '']).filter(([, value]) => value !== ''),
  );
}

/**
 * Footers answer for blocks within one step, where they know the groups; the cache for blocks that the
 * range does not cut and that were asked the same before; totals or points for the rest.
 */
/** How much of the range its steps with data are. */
function dataMs(
  sums: ArrayLike<number>,
  timesMs: ArrayLike<number>,
  stepMs: number,
  { fromMs, toMs }: Scope,
): number {
  let total = 0;
  for (let step = 0; step < sums.length; step++) {
    if (sums[step] === 0) continue;
    const startMs = timesMs[step] ?? 0;
    total += Math.max(0, Math.min(toMs, startMs + stepMs) - Math.max(fromMs, startMs));
  }
  return total;
}

async function fill(
  run: QueryRun,
  builder: SeriesBuilder,
  question: Question,
  cache: SeriesCache,
): Promise<void> {
  const { scope, profileType, stepMs, groupBy } = question;
  const servicesOnly = footersDecide(scope) && groupBy.every((name) => name === SERVICE_NAME);
  const asked = JSON.stringify([
    [...run.typesOf(profileType)].sort(),
    scope.selector.source,
    stepMs,
    groupBy,
  ]);
  const plans: (ReadPlan & BlockTimes)[] = [];
  const planned = run.plan(scope, profileType);
  if (needsFolding(planned)) return await fillFolded(run, builder, question, planned);
  for (const plan of planned) {
    const times = timesOf(plan);
    const oneStep = !plan.cut && builder.inOneStep(times.minMs, times.maxMs);
    if (oneStep && servicesOnly) {
      for (const index of plan.datasets) {
        const dataset = plan.footer.datasets[index]!;
        const values = groupBy.map(() => dataset.serviceName);
        builder.add(values, Number(dataset.timeMinMs), run.totalOf(dataset));
      }
      run.count('footer', 1);
      continue;
    }
    const known = plan.cut ? undefined : cache.get(`${plan.key} ${asked}`);
    if (known === undefined) {
      plans.push({ ...plan, ...times, points: !oneStep });
      continue;
    }
    builder.addBuilder(known.builder);
    run.coverage.samples(known);
    run.count('partial', 1);
  }
  for await (const { plan, block } of run.scan(plans)) {
    const selection = {
      series: selectSeries(block, run.typesOf(profileType), scope.selector),
      timeRange: plan.within,
    };
    const atMs = plan.points ? undefined : plan.minMs;
    if (plan.cut) {
      run.coverage.samples(builder.addBlock(block, selection, atMs));
      continue;
    }
    const range = { fromMs: plan.minMs, toMs: plan.maxMs + 1 };
    const own = new SeriesBuilder({ ...range, stepMs, groupBy, maxGroups: question.maxGroups });
    const partial = { builder: own, ...own.addBlock(block, selection, atMs) };
    builder.addBuilder(own);
    run.coverage.samples(partial);
    cache.set(`${plan.key} ${asked}`, partial, own.sizeBytes + partial.series.length * 8);
  }
}

/** Values that do not add up: one of each step, and in the totals that of the whole range. */
async function fillFolded(
  run: QueryRun,
  builder: SeriesBuilder,
  { scope, profileType, groupBy, maxGroups }: Question,
  plans: readonly PlannedBlock[],
): Promise<void> {
  const { fromMs, toMs } = scope;
  const edges = [fromMs, ...Array.from(builder.timesMs).filter((edge) => edge > fromMs), toMs];
  const gathered = await gatherProfiles(run, scope, profileType, plans, edges);
  if (gathered === undefined) return;
  const steps = foldScope(gathered, edges);
  run.coverage.samples(builder.addBlock(steps.block, { series: steps.series }));
  const whole = foldScope(gathered, [fromMs, toMs]);
  const totals = new SeriesBuilder({ fromMs, toMs, stepMs: Number.MAX_SAFE_INTEGER, groupBy, maxGroups });
  totals.addBlock(whole.block, { series: whole.series }, fromMs);
  builder.takeTotals(totals);
}

interface BlockTimes {
  /** First and last sample of the planned datasets, Unix ms. */
  readonly minMs: number;
  readonly maxMs: number;
}

function timesOf(plan: PlannedBlock): BlockTimes {
  let minMs = Number.POSITIVE_INFINITY;
  let maxMs = Number.NEGATIVE_INFINITY;
  for (const index of plan.datasets) {
    minMs = Math.min(minMs, Number(plan.footer.datasets[index]!.timeMinMs));
    const { timeMaxMs, reachMs } = plan.footer.datasets[index]!;
    maxMs = Math.max(maxMs, Number(timeMaxMs) + Math.max(0, reachMs - 1));
  }
  return { minMs, maxMs };
}
