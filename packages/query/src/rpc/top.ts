import { create } from '@bufbuild/protobuf';
import { topFunctions } from '@fleetflame/profile';
import { TopResponseSchema, type TopRequest, type TopResponse } from '@fleetflame/proto/query/v1/query';
import type { FlameCache } from '../flame-cache.ts';
import { scanFlame } from '../flame-scan.ts';
import { DEFAULT_LISTED } from '../limits.ts';
import { needsOf, QueryRun, type QueryContext } from '../query-run.ts';

export async function top(
  context: QueryContext,
  cache: FlameCache,
  request: TopRequest,
  signal: AbortSignal,
): Promise<TopResponse> {
  const scope = context.checks.scope(request.scope);
  const limit = context.checks.count('listed', request.limit, DEFAULT_LISTED, 'limit');
  return QueryRun.with(
    context,
    scope,
    signal,
    async (run) => {
      const profileType = run.resolveType(scope);
      const { builder } = await scanFlame(run, cache, scope, profileType, []);
      const table = topFunctions(builder.tree, limit, builder.builds);
      return create(TopResponseSchema, {
        total: BigInt(table.total),
        functions: table.functions.map(({ self, total, ...rest }) => ({
          ...rest,
          self: BigInt(self),
          total: BigInt(total),
        })),
        omittedFunctions: BigInt(table.omittedFunctions),
        omittedSelf: BigInt(table.omittedSelf),
        coverage: run.coverage.build(),
      });
    },
    needsOf(scope, []),
  );
}
