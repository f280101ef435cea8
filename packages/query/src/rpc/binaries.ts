import { create } from '@bufbuild/protobuf';
import { binarySums } from '@fleetflame/profile';
import {
  BinariesResponseSchema,
  type BinariesRequest,
  type BinariesResponse,
} from '@fleetflame/proto/query/v1/query';
import type { FlameCache } from '../flame-cache.ts';
import { scanFlame } from '../flame-scan.ts';
import { DEFAULT_LISTED } from '../limits.ts';
import { needsOf, QueryRun, type QueryContext } from '../query-run.ts';

/** Of one binary: a host has one or two, a fleet in the middle of a roll-out some more. */
const MOST_BUILD_IDS = 1000;

/** Reads what the top table reads, so it is as cheap once that was asked. */
export async function binaries(
  context: QueryContext,
  cache: FlameCache,
  request: BinariesRequest,
  signal: AbortSignal,
): Promise<BinariesResponse> {
  const scope = context.checks.scope(request.scope);
  const limit = context.checks.count('listed', request.limit, DEFAULT_LISTED, 'limit');
  return QueryRun.with(
    context,
    scope,
    signal,
    async (run) => {
      const profileType = run.resolveType(scope);
      const { builder } = await scanFlame(run, cache, scope, profileType, []);
      const all = binarySums(builder);
      return create(BinariesResponseSchema, {
        total: BigInt(
          builder.tree.self.subarray(0, builder.tree.length).reduce((sum, self) => sum + self, 0),
        ),
        binaries: all.slice(0, limit).map(({ binary, buildIds, self, unnamedSelf, stopped }) => ({
          binary,
          buildIds: buildIds.slice(0, MOST_BUILD_IDS),
          omittedBuildIds: BigInt(Math.max(0, buildIds.length - MOST_BUILD_IDS)),
          self: BigInt(self),
          unnamedSelf: BigInt(unnamedSelf),
          stopped: BigInt(stopped),
        })),
        omittedBinaries: BigInt(Math.max(0, all.length - limit)),
        coverage: run.coverage.build(),
      });
    },
    needsOf(scope, []),
  );
}
