import { create } from '@bufbuild/protobuf';
import {
  encodeFlameTable,
  FleetflameError,
  layoutFlameTreeInSteps,
  parseProfileType,
  unitFactor,
} from '@fleetflame/profile';
import {
  FlameGraphResponseSchema,
  type FlameGraphRequest,
  type FlameGraphResponse,
} from '@fleetflame/proto/query/v1/query';
import type { FlameCache } from '../flame-cache.ts';
import { scanFlame } from '../flame-scan.ts';
import { DEFAULT_NODES } from '../limits.ts';
import { needsOf, QueryRun, type QueryContext } from '../query-run.ts';

export async function flameGraph(
  context: QueryContext,
  cache: FlameCache,
  request: FlameGraphRequest,
  signal: AbortSignal,
): Promise<FlameGraphResponse> {
  const { checks } = context;
  const scope = checks.scope(request.scope);
  const groupBy = checks.groupBy(request.groupBy);
  const maxNodes = checks.count('nodes', request.maxNodes, DEFAULT_NODES, 'max_nodes');
  checks.atMost(
    'focusFrames',
    request.focus.length,
    'focus',
    `focus has ${request.focus.length} frames, at most ${checks.limits.focusFrames} are possible.`,
  );
  return QueryRun.with(
    context,
    scope,
    signal,
    async (run) => {
      const profileType = run.resolveType(scope);
      const { builder, period } = await scanFlame(run, cache, scope, profileType, groupBy);
      const steps = layoutFlameTreeInSteps(builder.tree, {
        maxNodes,
        focus: request.focus,
        builds: builder.builds,
      });
      let step = steps.next();
      for (; step.done !== true; step = steps.next()) await run.breather.breathe();
      const layout = step.value;
      await run.breather.breathe();
      return create(FlameGraphResponseSchema, {
        table: encodeFlameTable(layout.table),
        total: BigInt(layout.total),
        prunedNodes: BigInt(layout.prunedNodes),
        prunedValue: BigInt(layout.prunedValue),
        coverage: run.coverage.build(),
        period: BigInt(valueOfSample(profileType, period)),
      });
    },
    needsOf(scope, groupBy),
  );
}

/** Value of one sample: the period where values are measured in it, 1 where samples are counted; 0: not known. */
function valueOfSample(profileType: string, period: number): number {
  // Some agents write a period of 1, which is none.
  if (period <= 1) return 0;
  try {
    const type = parseProfileType(profileType);
    const value = period * (unitFactor(type.periodUnit, type.sampleUnit) ?? 0);
    if (type.sampleType === type.periodType && value > 0) return Number.isInteger(value) ? value : 0;
    return type.sampleType === 'samples' && unitFactor(type.sampleUnit, 'count') === 1 ? 1 : 0;
  } catch (error) {
    if (error instanceof FleetflameError) return 0;
    throw error;
  }
}
