import { create } from '@bufbuild/protobuf';
import { FleetflameError, selectSeries, SERVICE_NAME, SeriesBuilder } from '@fleetflame/profile';
import {
  LabelValuesResponseSchema,
  type LabelValuesRequest,
  type LabelValuesResponse,
} from '@fleetflame/proto/query/v1/query';
import { DEFAULT_LISTED } from '../limits.ts';
import { foldScope, gatherProfiles, needsFolding } from '../fold-scope.ts';
import { footersDecide } from '../plan.ts';
import { needsOf, QueryRun, type QueryContext, type ReadPlan } from '../query-run.ts';
import { selectedTypes } from '../selected-types.ts';

/**
 * Values of one label by what their series add up to. An empty profile type means all types, whose
 * totals are then added although their units differ: good for an order, not for a number.
 */
export async function labelValues(
  context: QueryContext,
  request: LabelValuesRequest,
  signal: AbortSignal,
): Promise<LabelValuesResponse> {
  const { checks } = context;
  const scope = checks.scope(request.scope);
  const limit = checks.count('listed', request.limit, DEFAULT_LISTED, 'limit');
  const { name } = request;
  if (name === '') {
    throw new FleetflameError('invalid_input', 'name is empty: it is the label whose values are asked for.', {
      field: 'name',
    });
  }
  checks.name(name, 'name');
  return QueryRun.with(
    context,
    scope,
    signal,
    async (run) => {
      const types = selectedTypes(run, scope);
      // One step over all of time: a sum per value.
      const sums = new SeriesBuilder({
        fromMs: scope.fromMs,
        toMs: scope.toMs,
        stepMs: Number.MAX_SAFE_INTEGER,
        groupBy: [name],
        maxGroups: checks.limits.labelValues,
      });
      const fromFooters = name === SERVICE_NAME && footersDecide(scope);
      const plans: ReadPlan[] = [];
      const planned = run.plan(scope, types.only);
      if (types.only !== undefined && needsFolding(planned)) {
        const edges = [scope.fromMs, scope.toMs];
        const gathered = await gatherProfiles(run, scope, types.only, planned, edges);
        if (gathered !== undefined) {
          const { block, series } = foldScope(gathered, edges);
          run.coverage.samples(sums.addBlock(block, { series }, scope.fromMs));
        }
        planned.length = 0;
      }
      for (const plan of planned) {
        if (!fromFooters || plan.cut) {
          plans.push({ ...plan, points: plan.cut });
          continue;
        }
        for (const index of plan.datasets) {
          const dataset = plan.footer.datasets[index]!;
          sums.add([dataset.serviceName], scope.fromMs, run.totalOf(dataset));
        }
        run.count('footer', 1);
      }
      for await (const { plan, block } of run.scan(plans)) {
        for (const type of types.all) {
          const selection = {
            series: selectSeries(block, run.typesOf(type), scope.selector),
            timeRange: plan.within,
          };
          run.coverage.samples(sums.addBlock(block, selection, plan.points ? undefined : scope.fromMs));
        }
      }
      const values = sums
        .finish(Number.POSITIVE_INFINITY)
        .map(({ values: [value = ''], total }) => ({ value, total }))
        .filter(({ value }) => value !== '');
      return create(LabelValuesResponseSchema, {
        values: values.slice(0, limit).map(({ value, total }) => ({ value, total: BigInt(total) })),
        omitted: BigInt(Math.max(0, values.length - limit)),
        coverage: run.coverage.build(),
      });
    },
    needsOf(scope, [name]),
  );
}
