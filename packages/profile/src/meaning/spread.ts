/**
 * A rate's profile of `durationMs` that began at `timeMs` is spread evenly over [timeMs, timeMs + durationMs). Up to
 * `x` it has floor(value x (x - timeMs) / durationMs) of its value; what lies between two times is a difference of
 * two such numbers, so parts that touch each other add up to the value, to the last unit, wherever they are cut.
 */
import type { Block, SeriesIndex } from '../block/block.ts';

export interface TimeRangeMs {
  /** Unix milliseconds, inclusive. */
  readonly fromMs: number;
  /** Unix milliseconds, exclusive. */
  readonly toMs: number;
}

/** The part of the value before `elapsedMs` of the duration; exact for values up to 2^53. */
export function partBefore(value: number, elapsedMs: number, durationMs: number): number {
  if (elapsedMs <= 0) return 0;
  if (elapsedMs >= durationMs) return value;
  // value = whole x duration + rest: no product exceeds the value or 2^40.
  const whole = Math.floor(value / durationMs);
  return whole * elapsedMs + Math.floor(((value - whole * durationMs) * elapsedMs) / durationMs);
}

/** What lies between two times, both in ms after the beginning of the profile. A moment lies at its beginning. */
export function partBetween(value: number, fromMs: number, toMs: number, durationMs: number): number {
  if (durationMs === 0) return fromMs <= 0 && toMs > 0 ? value : 0;
  return partBefore(value, toMs, durationMs) - partBefore(value, fromMs, durationMs);
}

/** What of a profile's value lies in a range of Unix times, wherever the profile began. */
export function partInRange(
  timeMs: number,
  value: number,
  durationMs: number,
  { fromMs, toMs }: TimeRangeMs,
): number {
  return partBetween(value, fromMs - timeMs, toMs - timeMs, durationMs);
}

/** The durations of the profiles of a block's rates. */
export class Durations {
  readonly #block: Block;
  readonly #spread: Uint8Array | undefined;

  constructor(block: Block) {
    this.#block = block;
    const { kind, profileStart, profileDuration, length } = block.series;
    if (profileDuration.length === 0) return;
    this.#spread = new Uint8Array(length);
    for (let row = 0; row < length; row++) {
      if (kind[row] !== 0) continue;
      for (let at = profileStart[row]!; at < profileStart[row + 1]!; at++) {
        if (profileDuration[at]! > 0) this.#spread[row] = 1;
      }
    }
  }

  /** Whether any of the series' points is more than a moment. */
  has(series: SeriesIndex): boolean {
    return this.#spread?.[series] === 1;
  }

  /** Ms that a point is spread over; where several profiles began at once, the longest. `time`: ms since the block's start. */
  of(series: SeriesIndex, time: number): number {
    const { profileStart, profileTime, profileDuration } = this.#block.series;
    let low = profileStart[series]!;
    let high = profileStart[series + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (profileTime[middle]! <= time) low = middle + 1;
      else high = middle;
    }
    // Durations ascend among equal times.
    return low > profileStart[series]! && profileTime[low - 1] === time ? profileDuration[low - 1]! : 0;
  }
}
