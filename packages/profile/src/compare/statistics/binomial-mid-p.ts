import { logGamma } from './log-gamma.ts';

/**
 * Exact two-sided mid-p that of `a + b` events just `a` fall on the first side, where each does with the chance `share`:
 * twice the smaller tail, in which the outcome itself counts half (Lancaster 1961). Counts are rounded.
 */
export function binomialMidP(a: number, b: number, share: number): number {
  const count = Math.round(a) + Math.round(b);
  if (count === 0 || !(share > 0 && share < 1)) return 1;
  // The tail that the outcome lies in: its terms only fall, and one minus it is the other.
  const isLow = Math.round(a) <= count * share;
  const outside = isLow ? Math.round(a) : Math.round(b);
  const chance = isLow ? share : 1 - share;
  let term = Math.exp(
    logGamma(count + 1) -
      logGamma(outside + 1) -
      logGamma(count - outside + 1) +
      outside * Math.log(chance) +
      (count - outside) * Math.log1p(-chance),
  );
  let tail = term / 2;
  for (let k = outside; k > 0; k--) {
    term *= (k / (count - k + 1)) * ((1 - chance) / chance);
    tail += term;
    if (term < tail * 1e-17) break;
  }
  return Math.min(1, 2 * Math.min(tail, 1 - tail));
}
