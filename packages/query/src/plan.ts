/**
 * From a scope to the datasets that can hold its answer: one catalog snapshot, the footers of its
 * blocks, the profile type among those present, and per block the datasets whose type, service and
 * times can match. Nothing but footers is read here.
 */
import {
  FleetflameError,
  parseProfileType,
  resolveProfileType,
  SERVICE_NAME,
  type Matcher,
  typeFactor,
  unitFactor,
  type PresentType,
  type ResolvedType,
  type SeriesScale,
} from '@fleetflame/profile';
import type { Footer } from '@fleetflame/proto/block/v1/footer';
import type { BlockEntry, SelectedBlock, Snapshot, TimeRange } from '@fleetflame/store';
import type { BlockReader } from './block-reader.ts';
import type { Breather } from './breather.ts';
import type { CoverageBuilder } from './coverage.ts';
import { readAhead } from './read-ahead.ts';
import type { Scope } from './scope.ts';

/** Footers are small: many reads at once hide the latency of an object store. */
const FOOTERS_AHEAD = 16;

/** One block, and which of its datasets can match. */
export interface PlannedBlock {
  readonly entry: SelectedBlock;
  readonly footer: Footer;
  /** Indices into the footer's datasets, ascending. */
  readonly datasets: readonly number[];
  /** Names the block; where the range leaves matching datasets out, these datasets of it. */
  readonly key: string;
  /** For which part of the range it is read: elsewhere other blocks have the same samples. */
  readonly within: TimeRange;
  /** That part cuts one of these datasets: their points have to be read. */
  readonly cut: boolean;
  /** The longest duration of a profile in these datasets, ms; 0: their points are moments. */
  readonly reachMs: number;
  /** It lies before the range: only what of it reaches into the range counts, or where an increase begins. */
  readonly before: boolean;
}

export interface OpenedBlock {
  readonly entry: SelectedBlock;
  readonly footer: Footer;
  /** As in PlannedBlock. */
  readonly before?: boolean;
  /** It lies before the part of the range that it is read for. */
  readonly edge?: boolean;
}

export type ReportUnreadable = (entry: BlockEntry, error: unknown) => Promise<void>;

/** The footers of a snapshot's blocks; those that cannot be read are reported and left out. */
export async function openBlocks(
  snapshot: Snapshot,
  reader: BlockReader,
  coverage: CoverageBuilder,
  breather: Breather,
  unreadable: ReportUnreadable,
): Promise<OpenedBlock[]> {
  const open = async (entry: SelectedBlock): Promise<OpenedBlock | undefined> => {
    try {
      const { footer, bytesRead } = await reader.footer(entry);
      coverage.bytesRead(bytesRead);
      return { entry, footer };
    } catch (error) {
      await unreadable(entry, error);
      return undefined;
    }
  };
  const opened: OpenedBlock[] = [];
  for await (const block of readAhead(snapshot.blocks, FOOTERS_AHEAD, open)) {
    await breather.breathe();
    if (block !== undefined) opened.push(block);
  }
  return opened;
}

/** Profile types with samples in the range, and about what they sum to; `services`: matchers of the service. */
export function presentTypes(
  opened: readonly OpenedBlock[],
  services: readonly Matcher[] = [],
): PresentType[] {
  const types = new Map<string, { readonly total: number; readonly isDefault: boolean }>();
  for (const { entry, footer, before = false } of opened) {
    for (const dataset of footer.datasets) {
      const isThere = (before && isCumulative(dataset)) || placeInRange(dataset, entry.range) !== 'outside';
      if (!isThere || !services.every((matcher) => matcher.matches(dataset.serviceName))) continue;
      const known = types.get(dataset.profileType);
      types.set(dataset.profileType, {
        total: (known?.total ?? 0) + Number(dataset.total),
        isDefault: known?.isDefault === true || dataset.isDefault,
      });
    }
  }
  return [...types].map(([id, type]) => ({ id, ...type })).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * The profile types that are meant. A whole type that has no data is taken as it is, and so is any type
 * when there is no data at all: the answer is then empty, which is no error.
 */
export function resolveType(wanted: string, present: readonly PresentType[]): ResolvedType {
  const isPresent = present.some(({ id }) => id === wanted);
  if (!isPresent && wanted !== '' && (present.length === 0 || isWholeType(wanted)))
    return { id: wanted, ids: [wanted], total: 0, isDefault: false, others: [] };
  if (wanted === '' && present.length === 0)
    return { id: '', ids: [], total: 0, isDefault: false, others: [] };
  return resolveProfileType(wanted, present);
}

/** What makes values of one profile type values of another that is the same question. */
export function scaleInto(from: string, into: string): SeriesScale {
  const value = typeFactor(from, into);
  if (from === into || !isWholeType(from) || !isWholeType(into)) return { value, period: 1 };
  const period = unitFactor(parseProfileType(from).periodUnit, parseProfileType(into).periodUnit);
  return { value, period: period ?? 0 };
}

function isWholeType(wanted: string): boolean {
  try {
    parseProfileType(wanted);
    return true;
  } catch (error) {
    if (error instanceof FleetflameError) return false;
    throw error;
  }
}

/** Unit of a profile type's values; "" for a type that is not whole. */
export function unitOf(profileType: string): string {
  return isWholeType(profileType) ? parseProfileType(profileType).sampleUnit : '';
}

/** The datasets that can match; blocks without any are left out. `profileTypes` undefined: all types. */
export function planBlocks(
  opened: readonly OpenedBlock[],
  scope: Scope,
  profileTypes: ReadonlySet<string> | undefined,
): PlannedBlock[] {
  const onService = serviceMatchers(scope);
  const planned: PlannedBlock[] = [];
  for (const { entry, footer, before = false } of opened) {
    const datasets: number[] = [];
    let cut = false;
    let all = true;
    let reachMs = 0;
    for (const [index, dataset] of footer.datasets.entries()) {
      if (profileTypes !== undefined && !profileTypes.has(dataset.profileType)) continue;
      if (!onService.every((matcher: Matcher) => matcher.matches(dataset.serviceName))) continue;
      const place = before && isCumulative(dataset) ? 'cut' : placeInRange(dataset, entry.range);
      if (place === 'outside') {
        all = false;
        continue;
      }
      if (place === 'cut') cut = true;
      reachMs = Math.max(reachMs, dataset.reachMs);
      datasets.push(index);
    }
    if (datasets.length === 0) continue;
    // What the others add must not be taken for what the whole block adds.
    const key = all ? entry.id : `${entry.id}/${datasets.join(',')}`;
    planned.push({ entry, footer, datasets, key, within: entry.range, cut, reachMs, before });
  }
  return planned;
}

/** Bit 2 of its kinds: increases need what was before. */
export function isCumulative({ kinds }: { readonly kinds: number }): boolean {
  return (kinds & 0b100) !== 0;
}

/** Where a dataset's samples lie: all inside the range, all outside, or cut by it. */
export function placeInRange(
  dataset: { readonly timeMinMs: bigint; readonly timeMaxMs: bigint; readonly reachMs: number },
  range: { readonly fromMs: number; readonly toMs: number },
): 'inside' | 'outside' | 'cut' {
  if (range.fromMs >= range.toMs) return 'outside';
  const min = Number(dataset.timeMinMs);
  // A profile of a minute counts until its last millisecond.
  const max = Number(dataset.timeMaxMs) + Math.max(0, dataset.reachMs - 1);
  if (max < range.fromMs || min >= range.toMs) return 'outside';
  return min >= range.fromMs && max < range.toMs ? 'inside' : 'cut';
}

/** What a scope asks of the service. */
export function serviceMatchers({ selector }: Pick<Scope, 'selector'>): Matcher[] {
  return selector.matchers.filter((matcher) => matcher.name === SERVICE_NAME);
}

/** True when the matchers look at nothing but the service: footers can tell which samples match. */
export function footersDecide(scope: Scope): boolean {
  return scope.selector.matchers.every((matcher) => matcher.name === SERVICE_NAME);
}
