/**
 * A block whose beginning a range cuts off, in pieces. A live range moves by seconds, and what is left
 * of the block changes each time; most of it lies in pieces that stay for a minute, ten minutes, an hour:
 *
 *   09:41:20     09:42        09:50             10:00                            12:00
 *      ├── rest ───┼── minutes ──┼── ten minutes ──┼──────────── hours ────────────┤
 */
import type { BlockEntry, TimeRange } from '@fleetflame/store';

/** Smallest first. */
const STEPS_MS = [60_000, 600_000, 3_600_000] as const;

export interface CutPieces {
  /** Worth keeping; none is empty. */
  readonly kept: readonly TimeRange[];
  /** What is asked for only once. */
  readonly rest: TimeRange;
}

/** The part of the block that lies in the range; together exactly that, without overlaps. */
export function cutPieces(entry: Pick<BlockEntry, 'timeMinMs' | 'timeMaxMs'>, range: TimeRange): CutPieces {
  const endMs = entry.timeMaxMs + 1;
  // A range that ends inside the block is not one that moves with the clock.
  if (range.toMs < endMs || range.fromMs <= entry.timeMinMs || range.fromMs >= endMs)
    return { kept: [], rest: range };
  const kept: TimeRange[] = [];
  const restToMs = Math.min(nextMultiple(range.fromMs, STEPS_MS[0]), endMs);
  let fromMs = restToMs;
  for (const stepMs of STEPS_MS.slice(1)) {
    const toMs = Math.min(nextMultiple(fromMs, stepMs), endMs);
    if (toMs > fromMs) kept.push({ fromMs, toMs });
    fromMs = toMs;
  }
  if (fromMs < endMs) kept.push({ fromMs, toMs: endMs });
  return { kept, rest: { fromMs: range.fromMs, toMs: restToMs } };
}

function nextMultiple(timeMs: number, stepMs: number): number {
  return Math.ceil(timeMs / stepMs) * stepMs;
}
