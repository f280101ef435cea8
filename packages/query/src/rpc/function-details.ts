import { create } from '@bufbuild/protobuf';
import {
  buildIdsToSymbolize,
  FunctionLines,
  selectSeries,
  sumStacks,
  type Block,
  type SampleSelection,
} from '@fleetflame/profile';
import {
  FunctionDetailsResponseSchema,
  type FunctionDetailsRequest,
  type FunctionDetailsResponse,
} from '@fleetflame/proto/query/v1/query';
import { foldScope, gatherProfiles, needsFolding } from '../fold-scope.ts';
import { DEFAULT_LISTED } from '../limits.ts';
import { needsOf, QueryRun, type QueryContext } from '../query-run.ts';
import { QuerySymbols } from '../symbol-source.ts';

/** Reads what an export reads: lines are not in the sums that flame graphs are cached as. */
export async function functionDetails(
  context: QueryContext,
  request: FunctionDetailsRequest,
  signal: AbortSignal,
): Promise<FunctionDetailsResponse> {
  const { checks } = context;
  const scope = checks.scope(request.scope);
  const limit = checks.count('listed', request.limit, DEFAULT_LISTED, 'limit');
  const { name, filename, binary } = request;
  return QueryRun.with(
    context,
    scope,
    signal,
    async (run) => {
      const profileType = run.resolveType(scope);
      const symbols = new QuerySymbols(context.host);
      const found = new FunctionLines({ name, filename, binary });
      const add = async (block: Block, selection: SampleSelection): Promise<void> => {
        const sums = sumStacks(block, selection, []);
        run.coverage.samples(sums);
        await symbols.load(buildIdsToSymbolize(block, sums));
        found.addBlock(block, sums, symbols.symbolize);
        checks.atMost(
          'functionLines',
          found.lineCount,
          'name',
          `The function has more than ${checks.limits.functionLines} lines. Narrow the selector or the time range.`,
        );
      };
      const planned = run.plan(scope, profileType);
      const edges = [scope.fromMs, scope.toMs];
      const folds = needsFolding(planned);
      const gathered = folds ? await gatherProfiles(run, scope, profileType, planned, edges) : undefined;
      if (gathered !== undefined) {
        const { block, series } = foldScope(gathered, edges);
        await add(block, { series });
      }
      const plans = folds ? [] : planned.map((plan) => ({ ...plan, points: plan.cut }));
      for await (const { plan, block } of run.scan(plans)) {
        await add(block, {
          series: selectSeries(block, run.typesOf(profileType), scope.selector),
          timeRange: plan.cut ? plan.within : undefined,
        });
      }
      const { lines, builds } = found;
      const omitted = lines.slice(limit);
      return create(FunctionDetailsResponseSchema, {
        self: BigInt(found.self),
        total: BigInt(found.total),
        inlinedSelf: BigInt(found.inlinedSelf),
        lines: lines
          .slice(0, limit)
          .map(({ line, self, total }) => ({ line, self: BigInt(self), total: BigInt(total) })),
        omittedLines: BigInt(omitted.length),
        omittedLinesSelf: BigInt(omitted.reduce((sum, { self }) => sum + self, 0)),
        builds: builds.slice(0, limit).map(({ file, buildId, self, total }) => ({
          file,
          buildId,
          self: BigInt(self),
          total: BigInt(total),
        })),
        omittedBuilds: BigInt(Math.max(0, builds.length - limit)),
        coverage: run.coverage.build(),
      });
    },
    needsOf(scope, []),
  );
}
