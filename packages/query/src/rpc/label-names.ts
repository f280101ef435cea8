import { create } from '@bufbuild/protobuf';
import { NUMERIC_LABELS, selectSeries, seriesWithSamples, type Block } from '@fleetflame/profile';
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
      const planned = new Uint8Array(block.series.length);
      for (const index of plan.chosen) {
        const { seriesStart, seriesCount } = plan.footer.datasets[index]!;
        planned.fill(1, seriesStart, seriesStart + seriesCount);
      }
      const counted = plan.cut
        ? seriesWithSamples(block, { series: planned, timeRange: plan.within })
        : planned;
      for (const type of types.all) {
        const selected = selectSeries(block, run.typesOf(type), scope.selector);
        for (let row = 0; row < selected.length; row++) {
          if (selected[row] === 1 && counted[row] === 1) addNames(block, row, names);
        }
      }
    }
    return create(LabelNamesResponseSchema, { names: [...names].sort(), coverage: run.coverage.build() });
  });
}

function addNames({ series, strings }: Block, row: number, names: Set<string>): void {
  for (let label = series.labelStart[row]!; label < series.labelStart[row + 1]!; label++) {
    const name = strings.at(series.labelName[label]!);
    // What exports need, and nobody chooses by.
    if (name !== NUMERIC_LABELS) names.add(name);
  }
}
