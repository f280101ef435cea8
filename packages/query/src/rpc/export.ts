import { create } from '@bufbuild/protobuf';
import {
  buildIdsToSymbolize,
  encodeCpuprofile,
  encodeFolded,
  encodePprof,
  encodeSpeedscope,
  FleetflameError,
  selectSeries,
  sumStacks,
  type Block,
  type SampleSelection,
} from '@fleetflame/profile';
import {
  ExportFormat,
  ExportResponseSchema,
  type ExportRequest,
  type ExportResponse,
} from '@fleetflame/proto/query/v1/query';
import { throwIfAborted } from '../admission.ts';
import { ExportBuilder } from '../export-builder.ts';
import { foldScope, gatherProfiles, needsFolding } from '../fold-scope.ts';
import { needsOf, QueryRun, type QueryContext } from '../query-run.ts';
import { QuerySymbols } from '../symbol-source.ts';

interface EncodeOptions {
  readonly profileType: string;
  readonly groupBy: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly annotate: boolean;
}

/** Each takes of the options what its format has. */
const ENCODERS: ReadonlyMap<ExportFormat, (block: Block, options: EncodeOptions) => Uint8Array> = new Map([
  [ExportFormat.PPROF, encodePprof],
  [ExportFormat.FOLDED, (block, options) => new TextEncoder().encode(encodeFolded(block, options))],
  [ExportFormat.SPEEDSCOPE, (block, options) => new TextEncoder().encode(encodeSpeedscope(block, options))],
  [ExportFormat.CPUPROFILE, (block, options) => new TextEncoder().encode(encodeCpuprofile(block, options))],
]);

export async function exportProfile(
  context: QueryContext,
  request: ExportRequest,
  signal: AbortSignal,
): Promise<ExportResponse> {
  const { checks } = context;
  const scope = checks.scope(request.scope);
  const groupBy = checks.groupBy(request.groupBy);
  const { format } = request;
  const encode = ENCODERS.get(format);
  if (encode === undefined) {
    throw new FleetflameError(
      'invalid_input',
      'format is missing: EXPORT_FORMAT_PPROF, EXPORT_FORMAT_FOLDED, EXPORT_FORMAT_SPEEDSCOPE or EXPORT_FORMAT_CPUPROFILE.',
      {
        field: 'format',
      },
    );
  }
  const build = async (run: QueryRun): Promise<ExportResponse> => {
    const profileType = run.resolveType(scope);
    const symbols = new QuerySymbols(context.host);
    const builder = new ExportBuilder({
      // The pprof encoder selects labels itself, since it adds what numeric ones need.
      keepLabel: format === ExportFormat.PPROF ? () => true : (name) => groupBy.includes(name),
      atMs: scope.fromMs,
      maxRows: checks.limits.exportRows,
      profileType,
    });
    const planned = run.plan(scope, profileType);
    const add = async (block: Block, selection: SampleSelection): Promise<void> => {
      const sums = sumStacks(block, selection, []);
      run.coverage.samples(sums);
      await symbols.load(buildIdsToSymbolize(block, sums));
      builder.addBlock(block, selection, symbols.symbolize);
    };
    const edges = [scope.fromMs, scope.toMs];
    const folds = needsFolding(planned);
    const gathered = folds ? await gatherProfiles(run, scope, profileType, planned, edges) : undefined;
    if (gathered !== undefined) {
      const { block, series } = foldScope(gathered, edges);
      await add(block, { series });
    }
    const plans = folds ? [] : planned.map((plan) => ({ ...plan, points: plan.cut }));
    for await (const { plan, block } of run.scan(plans)) {
      const selection = {
        series: selectSeries(block, run.typesOf(profileType), scope.selector),
        timeRange: plan.cut ? plan.within : undefined,
      };
      await add(block, selection);
    }
    const block = builder.build();
    await run.breather.breathe();
    const { fromMs, toMs } = scope;
    const file = encode(block, { profileType, groupBy, fromMs, toMs, annotate: request.annotate });
    return create(ExportResponseSchema, {
      file,
      total: BigInt(builder.total),
      coverage: run.coverage.build(),
    });
  };
  const needs = groupBy.length === 0 && format === ExportFormat.PPROF ? undefined : needsOf(scope, groupBy);
  // Before the snapshot, which is not to grow old meanwhile.
  const giveBack = await context.host.take('exports', 1);
  try {
    throwIfAborted(signal);
    return await QueryRun.with(context, scope, signal, build, needs);
  } finally {
    giveBack();
  }
}
