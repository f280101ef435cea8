/**
 * From the blocks of a range to those that a question reads, each for one part of the range: the coarsest
 * that answer it exactly in the middle, finer ones at the edges.
 *
 *   from                                                                 to
 *    │ raw  ┊ 5 minutes ┊            1 hour            ┊ 5 minutes ┊ raw │
 *           └ next multiple of 5 minutes               └ last multiple of an hour
 *
 * Where a rollup is damaged and the finer blocks are still there, they are read in its place. What is not
 * rolled up yet (late samples, the last hours) is read from the finer blocks everywhere: see
 * compaction/rollups.ts. A block that lies across the whole middle would have to be read for both edges;
 * then the middle is too short to be worth it, and is read from finer blocks as well.
 */
import type { BlockEntry } from './catalog/block-entry.ts';
import { ROLLUP_LEVELS } from './compaction/rollups.ts';

export interface TimeRange {
  /** Unix ms, inclusive. */
  readonly fromMs: number;
  /** Unix ms, exclusive. */
  readonly toMs: number;
}

/** What a question can do without. */
export interface BlockNeeds {
  /** Labels that it looks at; `all`: it wants to see every one. */
  readonly labels: readonly string[] | 'all';
  /** It tells times apart by steps at multiples of so many ms; undefined: only inside from outside. */
  readonly stepMs?: number | undefined;
}

/** A block, and the part of the range for which it is read. */
export interface SelectedBlock extends BlockEntry {
  readonly range: TimeRange;
}

export interface Selection {
  readonly blocks: readonly SelectedBlock[];
  /** What each resolution is read for, the finest first. */
  readonly tiers: readonly Tier[];
}

export interface Tier {
  readonly resolutionMs: number;
  readonly range: TimeRange;
}

/**
 * Rollups that need not be read although some of them is damaged: everything in them is still there in finer blocks.
 * Of `retentionMs`, by resolution, raw first.
 */
export function avoidable(
  quarantined: readonly BlockEntry[],
  { fromMs }: TimeRange,
  retentionMs: ReadonlyMap<number, number>,
  nowMs: number,
): Set<number> {
  const resolutions = [...retentionMs.keys()];
  return new Set(
    resolutions.filter((resolutionMs, index) => {
      const finer = resolutions[index - 1];
      return (
        finer !== undefined &&
        quarantined.some((entry) => entry.resolutionMs === resolutionMs) &&
        fromMs >= nowMs - retentionMs.get(finer)!
      );
    }),
  );
}

/** Resolutions that can answer such a question, raw first. */
export function usableResolutions(range: TimeRange, needs: BlockNeeds): number[] {
  const usable = [0];
  for (const { resolutionMs } of ROLLUP_LEVELS) {
    const { stepMs } = needs;
    const aligned = stepMs === undefined || stepMs % resolutionMs === 0;
    const { fromMs, toMs } = inside(range, resolutionMs);
    if (needs.labels === 'all' || !aligned || toMs <= fromMs) break;
    usable.push(resolutionMs);
  }
  return usable;
}

/** @param avoid resolutions that are not to be read, nor coarser ones */
export function selectBlocks(
  blocks: readonly BlockEntry[],
  range: TimeRange,
  needs: BlockNeeds,
  avoid: ReadonlySet<number> = new Set(),
): Selection {
  const { labels } = needs;
  const dropped = (block: BlockEntry): boolean =>
    labels === 'all' || block.droppedLabels.some((label) => labels.includes(label));
  let tiers = usableResolutions(range, needs).map((resolutionMs) => ({
    resolutionMs,
    range: inside(range, resolutionMs),
  }));
  const unusable = tiers.findIndex(
    ({ resolutionMs }) =>
      avoid.has(resolutionMs) ||
      blocks.some((block) => block.resolutionMs === resolutionMs && dropped(block)),
  );
  if (unusable > 0) tiers = tiers.slice(0, unusable);
  for (;;) {
    const selected = readBy(blocks, tiers);
    if (selected !== undefined || tiers.length === 1) return { blocks: selected ?? [], tiers };
    tiers = tiers.slice(0, -1);
  }
}

export interface RangeGap extends TimeRange {
  readonly reason: string;
}

/**
 * What the finer tiers were to answer, is past their retention, and is still there in rollups that were
 * not read for it: at the edges of a range, or where the question needs what rollups do not have.
 */
export function findGaps(
  blocks: readonly BlockEntry[],
  tiers: readonly Tier[],
  retentionMs: ReadonlyMap<number, number>,
  nowMs: number,
): RangeGap[] {
  const gaps: RangeGap[] = [];
  for (const [index, { resolutionMs, range }] of tiers.entries()) {
    const keptFromMs = nowMs - (retentionMs.get(resolutionMs) ?? Infinity);
    const next = tiers[index + 1];
    const parts =
      next === undefined
        ? [range]
        : [
            { fromMs: range.fromMs, toMs: next.range.fromMs },
            { fromMs: next.range.toMs, toMs: range.toMs },
          ];
    for (const part of parts) {
      const gap = { fromMs: part.fromMs, toMs: Math.min(part.toMs, keptFromMs) };
      const rollup = blocks.find(
        (block) =>
          block.resolutionMs > resolutionMs && block.timeMinMs < gap.toMs && block.timeMaxMs >= gap.fromMs,
      );
      if (gap.fromMs >= gap.toMs || rollup === undefined) continue;
      const kept = resolutionMs === 0 ? 'Raw samples' : `Points of ${resolutionMs / 60_000} minutes`;
      const lost = rollup.droppedLabels.join(', ');
      const reason =
        `${kept} of this time are past their retention. What is left has a point every ` +
        `${rollup.resolutionMs / 60_000} minutes and no ${lost}: ask by other labels, for whole hours.`;
      gaps.push({ ...gap, reason });
    }
  }
  return gaps;
}

/** Undefined: a block would have to be read on both sides of the middle. */
function readBy(blocks: readonly BlockEntry[], tiers: readonly Tier[]): SelectedBlock[] | undefined {
  const selected: SelectedBlock[] = [];
  for (const block of blocks) {
    const index = tiers.findIndex(({ resolutionMs }) => resolutionMs === block.resolutionMs);
    const own = tiers[index];
    if (own === undefined) continue;
    const next = tiers[index + 1];
    const ranges =
      next === undefined || !block.rolledUp
        ? [own.range]
        : [
            { fromMs: own.range.fromMs, toMs: next.range.fromMs },
            { fromMs: next.range.toMs, toMs: own.range.toMs },
          ];
    const [range, other] = ranges.filter(
      ({ fromMs, toMs }) => fromMs < toMs && block.timeMaxMs >= fromMs && block.timeMinMs < toMs,
    );
    if (other !== undefined) return undefined;
    if (range !== undefined) selected.push({ ...block, range });
  }
  return selected;
}

/** The whole cells of the resolution in a range; empty ones begin at their end. */
function inside({ fromMs, toMs }: TimeRange, resolutionMs: number): TimeRange {
  if (resolutionMs === 0) return { fromMs, toMs };
  const from = Math.ceil(fromMs / resolutionMs) * resolutionMs;
  return { fromMs: from, toMs: Math.max(from, Math.floor(toMs / resolutionMs) * resolutionMs) };
}
