import { create } from '@bufbuild/protobuf';
import {
  groupProfileTypes,
  parseProfileType,
  parseSelector,
  selectSeries,
  SERIES_KINDS,
  sumStacks,
} from '@fleetflame/profile';
import {
  ProfileTypesResponseSchema,
  type ProfileTypesRequest,
  type ProfileTypesResponse,
} from '@fleetflame/proto/query/v1/query';
import { placeInRange, presentTypes } from '../plan.ts';
import { needsOf, QueryRun, type QueryContext, type ReadPlan } from '../query-run.ts';
import type { Scope } from '../scope.ts';

/** Profile types with samples in the range, by id. */
export async function profileTypes(
  context: QueryContext,
  request: ProfileTypesRequest,
  signal: AbortSignal,
): Promise<ProfileTypesResponse> {
  const range = context.checks.range(request.fromMs, request.toMs, '');
  const scope: Scope = { ...range, selector: parseSelector(''), profileType: '' };
  return QueryRun.with(
    context,
    scope,
    signal,
    async (run) => {
      const present = presentTypes(run.opened);
      const totals = new Map(present.map(({ id }) => [id, 0]));
      const add = (type: string, total: number): void =>
        void totals.set(type, (totals.get(type) ?? 0) + total);
      // Footers know the sums of all datasets but those that the range cuts.
      const plans: ReadPlan[] = [];
      for (const plan of run.plan(scope, undefined)) {
        const cut = plan.datasets.filter(
          (index) => placeInRange(plan.footer.datasets[index]!, plan.within) === 'cut',
        );
        for (const index of plan.datasets) {
          const dataset = plan.footer.datasets[index]!;
          if (!cut.includes(index)) add(dataset.profileType, Number(dataset.total));
        }
        if (cut.length > 0) plans.push({ ...plan, datasets: cut, points: true });
        else run.count('footer', 1);
      }
      for await (const { plan, block } of run.scan(plans)) {
        // A cached block may hold more datasets than were asked for.
        const chosen = new Uint8Array(block.series.length);
        for (const index of plan.datasets) {
          const { seriesStart, seriesCount } = plan.footer.datasets[index]!;
          chosen.fill(1, seriesStart, seriesStart + seriesCount);
        }
        for (const type of totals.keys()) {
          const series = selectSeries(block, run.typesOf(type), scope.selector).map(
            (is, row) => is & chosen[row]!,
          );
          const sums = sumStacks(block, { series, timeRange: plan.within }, []);
          run.coverage.samples(sums);
          add(type, sums.total);
        }
      }
      return create(ProfileTypesResponseSchema, {
        // Types that are the same question are one choice.
        types: groupProfileTypes(present.map((type) => ({ ...type, total: totals.get(type.id) ?? 0 })))
          .toSorted((a, b) => (a.id < b.id ? -1 : 1))
          .map(({ id, ids, total, isDefault }) => {
            const { sampleType, sampleUnit } = parseProfileType(id);
            return {
              id,
              sampleType,
              unit: sampleUnit,
              total: BigInt(total),
              isDefault,
              kinds: kindsOf(run, new Set(ids)),
            };
          }),
        coverage: run.coverage.build(),
      });
    },
    needsOf(scope, []),
  );
}

/** Of all series of the types; 0 in a footer: all are rates. */
function kindsOf(run: QueryRun, ids: ReadonlySet<string>): string[] {
  let found = 0;
  for (const { footer } of run.opened) {
    for (const { profileType, kinds } of footer.datasets) if (ids.has(profileType)) found |= kinds || 1;
  }
  return SERIES_KINDS.filter((_, kind) => ((found >> kind) & 1) === 1);
}
