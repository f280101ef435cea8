import { create } from '@bufbuild/protobuf';
import {
  encodeFlameTable,
  FleetflameError,
  layoutFlameTreeInSteps,
  MAX_LABEL_BUCKETS,
  valueOfSample,
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
  const buckets = request.groupBuckets;
  if (buckets > MAX_LABEL_BUCKETS) {
    throw new FleetflameError(
      'invalid_input',
      `group_buckets is ${buckets}, at most ${MAX_LABEL_BUCKETS} are possible.`,
      { field: 'group_buckets' },
    );
  }
  return QueryRun.with(
    context,
    scope,
    signal,
    async (run) => {
      const profileType = run.resolveType(scope);
      const { builder, period } = await scanFlame(run, cache, scope, profileType, groupBy, buckets);
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
