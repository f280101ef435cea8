/**
 * Questions about values that do not add up: gauges, and what has been counted since a process began. What a block
 * adds to such an answer cannot be known from the block alone, so all profiles of the scope are put together first, and
 * then what they mean is taken from them (foldKinds). Profiles are few, one a minute and process; what
 * an agent samples never comes here.
 */
import {
  FleetflameError,
  foldKinds,
  mergeBlocks,
  selectProfiles,
  selectSamples,
  selectSeries,
  type Block,
  type Selector,
} from '@fleetflame/profile';
import type { TimeRange } from '@fleetflame/store';
import type { PlannedBlock } from './plan.ts';
import type { QueryRun } from './query-run.ts';
import type { Scope } from './scope.ts';

const EVERYTHING: Selector = { matchers: [], source: '{}' };

/** Kinds that do not add up: bits 1 and 2 of a dataset's `kinds`. */
const FOLDED_KINDS = 0b110;

/** Whether any of the planned datasets holds what does not add up. */
export function needsFolding(plans: readonly PlannedBlock[]): boolean {
  return plans.some(({ footer, datasets }) =>
    datasets.some((index) => (footer.datasets[index]!.kinds & FOLDED_KINDS) !== 0),
  );
}

/**
 * All that is selected, with its points; undefined: nothing is. What does not add up is there as it was stored; of rates
 * among it, what lies between the edges in the part of the range that each block answers for.
 */
export async function gatherProfiles(
  run: QueryRun,
  scope: Scope,
  profileType: string,
  plans: readonly PlannedBlock[],
  edges: readonly number[],
): Promise<Block | undefined> {
  const { foldedPoints } = run.context.checks.limits;
  const parts: Block[] = [];
  const hasBefore = plans.some(({ before }) => before);
  let points = 0;
  for await (const { plan, block } of run.scan(plans.map((plan) => ({ ...plan, points: true })))) {
    const selected = selectSeries(block, run.typesOf(profileType), scope.selector);
    const from = plan.within.fromMs - block.timeStartMs;
    const to = plan.within.toMs - block.timeStartMs;
    // A part of the range is answered by one block only. What lies before all of it raw blocks have, while there are any.
    const early = plan.within.fromMs === run.scope.fromMs && (plan.entry.resolutionMs === 0 || !hasBefore);
    const isHere = (time: number): boolean => time < to && (time >= from || early);
    const rates = selected.map((is, row) => (block.series.kind[row] === 0 ? is : 0));
    const others = selected.map((is, row) => is - rates[row]!);
    const samples = selectSamples(block.samples, others, isHere);
    // Those of series without samples, too: they know the profiles in which a label was not.
    const ofType = selectSeries(block, run.typesOf(profileType), EVERYTHING);
    const series = selectProfiles(
      block,
      (row, time) => ofType[row] === 1 && block.series.kind[row] !== 0 && isHere(time),
    );
    const spread = spreadRates(block, rates, plan.within, edges);
    points += samples.time.length + (spread?.samples.time.length ?? 0);
    if (points > foldedPoints) {
      throw new FleetflameError(
        'limit_exceeded',
        `The profiles of this scope have more than ${foldedPoints} values, which have to be looked at together: shorten the time range or narrow the selector.`,
        { field: 'scope' },
      );
    }
    // A copy that is as small as what was selected.
    if (samples.length > 0 || series.profileTime.length > 0)
      parts.push(mergeBlocks([{ ...block, samples, series, losses: new Map() }]));
    if (spread !== undefined) parts.push(mergeBlocks([{ ...spread, losses: new Map() }]));
  }
  return parts.length === 0 ? undefined : mergeBlocks(parts);
}

/** As moments at the beginning of their span, or of what of it is `within`; undefined: nothing lies there. */
function spreadRates(
  block: Block,
  rates: Uint8Array,
  { fromMs, toMs }: TimeRange,
  edges: readonly number[],
): Block | undefined {
  const samples = selectSamples(block.samples, rates);
  if (samples.length === 0 || fromMs >= toMs) return undefined;
  const inner = edges.filter((edge) => edge > fromMs && edge < toMs);
  const spread = foldKinds({ ...block, samples }, [fromMs, ...inner, toMs]);
  return spread.samples.length === 0 ? undefined : spread;
}

/** What the selected values mean over the spans between edges, as a block of which all series count. */
export function foldScope(block: Block, edges: ArrayLike<number>): { block: Block; series: Uint8Array } {
  const folded = foldKinds(block, edges);
  return { block: folded, series: new Uint8Array(folded.series.length).fill(1) };
}
