import { create } from '@bufbuild/protobuf';
import { sampleRanges, selectSeries, sumStacks, type Block } from '@fleetflame/profile';
import {
  LabelNamesResponseSchema,
  type LabelNamesRequest,
  type LabelNamesResponse,
} from '@fleetflame/proto/query/v1/query';
import { QueryRun, type QueryContext, type ReadPlan } from '../query-run.ts';
import { selectedTypes } from '../selected-types.ts';

/** Names of labels of matching series with samples in the range. An empty profile type means all types. */
export async function labelNames(
  context: QueryContext,
  request: LabelNamesRequest,
  signal: AbortSignal,
): Promise<LabelNamesResponse> {
  const scope = context.checks.scope(request.scope);
  return QueryRun.with(context, scope, signal, async (run) => {
    const types = selectedTypes(run, scope);
    const names = new Set<string>();
    // Every series of a dataset has samples: where the range does not cut, the series table is enough.
    const plans = run.plan(scope, types.only).map((plan): ReadPlan & { chosen: readonly number[] } => ({
      ...plan,
      chosen: plan.datasets,
      datasets: plan.cut ? plan.datasets : [],
      points: plan.cut,
    }));
    for await (const { plan, block } of run.scan(plans)) {
      const inPlan = plan.cut ? seriesWithSamples(block) : new Uint8Array(block.series.length);
      if (!plan.cut) {
        for (const index of plan.chosen) {
          const { seriesStart, seriesCount } = plan.footer.datasets[index]!;
          inPlan.fill(1, seriesStart, seriesStart + seriesCount);
        }
      }
      for (const type of types.all) {
        const selected = selectSeries(block, type, scope.selector);
        for (let row = 0; row < selected.length; row++) {
          if (selected[row] === 0 || inPlan[row] === 0) continue;
          if (plan.cut && !hasPoints(block, row, scope)) continue;
          addNames(block, row, names);
        }
      }
    }
    return create(LabelNamesResponseSchema, { names: [...names].sort(), coverage: run.coverage.build() });
  });
}

function seriesWithSamples(block: Block): Uint8Array {
  const ranges = sampleRanges(block);
  return Uint8Array.from({ length: block.series.length }, (_, row) =>
    ranges[row + 1]! > ranges[row]! ? 1 : 0,
  );
}

function hasPoints(
  block: Block,
  row: number,
  timeRange: { readonly fromMs: number; readonly toMs: number },
): boolean {
  const series = new Uint8Array(block.series.length);
  series[row] = 1;
  return sumStacks(block, { series, timeRange }, []).series.length > 0;
}

function addNames({ series, strings }: Block, row: number, names: Set<string>): void {
  for (let label = series.labelStart[row]!; label < series.labelStart[row + 1]!; label++) {
    names.add(strings[series.labelName[label]!]!);
  }
}
