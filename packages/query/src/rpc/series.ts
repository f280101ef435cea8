import { create } from '@bufbuild/protobuf';
import { FleetflameError, selectSeries, SERVICE_NAME, SeriesBuilder } from '@fleetflame/profile';
import {
  SeriesResponseSchema,
  type SeriesRequest,
  type SeriesResponse,
} from '@fleetflame/proto/query/v1/query';
import { footersDecide, type PlannedBlock } from '../plan.ts';
import { QueryRun, type QueryContext, type ReadPlan } from '../query-run.ts';
import type { LimitCheck, Scope } from '../scope.ts';

/** Series of one step are as long as this at least, so that small answers may have many groups. */
const MIN_STEPS = 16;

export async function series(
  context: QueryContext,
  request: SeriesRequest,
  signal: AbortSignal,
): Promise<SeriesResponse> {
  const { checks } = context;
  const stepMs = checkStep(checks, request);
  const scope = checks.scope(request.scope);
  const groupBy = checks.groupBy(request.groupBy);
  const limit = checks.count('seriesGroups', request.limit, checks.limits.seriesGroups, 'limit');
  return QueryRun.with(context, scope, signal, async (run) => {
    const profileType = run.resolveType(scope.profileType);
    const steps = Math.max(MIN_STEPS, Math.ceil((scope.toMs - scope.fromMs) / stepMs) + 1);
    const builder = new SeriesBuilder({
      fromMs: scope.fromMs,
      toMs: scope.toMs,
      stepMs,
      groupBy,
      maxGroups: Math.floor(checks.limits.seriesNumbers / steps),
    });
    await fill(run, builder, scope, profileType, groupBy);
    return create(SeriesResponseSchema, {
      timesMs: Array.from(builder.timesMs, BigInt),
      groups: builder.finish(limit).map(({ values, sums, total, rest }) => ({
        labels: rest ? {} : labelsOf(groupBy, values),
        values: Array.from(sums, BigInt),
        total: BigInt(total),
        rest,
      })),
      coverage: run.coverage.build(),
    });
  });
}

function checkStep(checks: LimitCheck, request: SeriesRequest): number {
  const stepMs = Number(request.stepMs);
  if (stepMs < checks.limits.stepMs) {
    throw new FleetflameError(
      'invalid_input',
      `step_ms is ${stepMs}: it is at least ${checks.limits.stepMs}, since samples have a resolution of a second.`,
      { field: 'step_ms' },
    );
  }
  const range = Number((request.scope?.toMs ?? 0n) - (request.scope?.fromMs ?? 0n));
  const steps = Math.ceil(range / stepMs);
  checks.atMost(
    'steps',
    steps,
    'step_ms',
    `The time range has ${steps} steps of ${stepMs} ms, at most ${checks.limits.steps} are answered: use a larger step_ms.`,
  );
  return stepMs;
}

/** A series without one of the labels has an empty set for it: "" and absent are the same. */
function labelsOf(groupBy: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    groupBy.map((name, i) => [name, values[i] ?? '']).filter(([, value]) => value !== ''),
  );
}

/** Footers answer for blocks within one step, where they know the groups; totals or points for the rest. */
async function fill(
  run: QueryRun,
  builder: SeriesBuilder,
  scope: Scope,
  profileType: string,
  groupBy: readonly string[],
): Promise<void> {
  const servicesOnly = footersDecide(scope) && groupBy.every((name) => name === SERVICE_NAME);
  const plans: ReadPlan[] = [];
  for (const plan of run.plan(scope, profileType)) {
    const oneStep = inOneStep(builder, plan);
    if (!oneStep || !servicesOnly) {
      plans.push({ ...plan, points: !oneStep });
      continue;
    }
    for (const index of plan.datasets) {
      const dataset = plan.footer.datasets[index]!;
      const values = groupBy.map(() => dataset.serviceName);
      builder.add(values, Number(dataset.timeMinMs), Number(dataset.total));
    }
    run.count('footer', 1);
  }
  for await (const { plan, block } of run.scan(plans)) {
    const selection = { series: selectSeries(block, profileType, scope.selector) };
    const atMs = plan.points ? undefined : Number(plan.footer.datasets[plan.datasets[0]!]!.timeMinMs);
    run.coverage.samples(builder.addBlock(block, selection, atMs));
  }
}

function inOneStep(builder: SeriesBuilder, plan: PlannedBlock): boolean {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const index of plan.datasets) {
    min = Math.min(min, Number(plan.footer.datasets[index]!.timeMinMs));
    max = Math.max(max, Number(plan.footer.datasets[index]!.timeMaxMs));
  }
  return builder.inOneStep(min, max);
}
