import { twoSidedQuantile } from './statistics/student-t.ts';
import type { RatioTest } from './statistics/ratio-test.ts';

const LEVEL = 0.95;

/** Where the true difference lies in 95 of 100 cases, in the unit of `difference` (value ÷ denominator). */
export function intervalOf({ difference, variance, degreesOfFreedom }: RatioTest): {
  readonly low: number;
  readonly high: number;
} {
  const reach = twoSidedQuantile(1 - LEVEL, degreesOfFreedom) * Math.sqrt(variance);
  return { low: difference - reach, high: difference + reach };
}

/**
 * Samples that a function needs on each side so that a change by the share `delta` (0.1: +10 %) is seen, mostly:
 * n ≈ 15·(2+δ)/δ² (power 0.8 at p < 10⁻³ or so, which false-discovery control asks of one among many).
 */
export function samplesNeeded(delta: number): number {
  return Math.ceil((15 * (2 + delta)) / delta ** 2);
}

/** The change, as a share, that so many samples on each side show, mostly: the inverse of `samplesNeeded`. */
export function smallestChange(samples: number): number {
  // n·δ² - 15·δ - 30 = 0
  return (15 + Math.sqrt(225 + 120 * samples)) / (2 * samples);
}
