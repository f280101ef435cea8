import { expect, test } from 'vitest';
import { benjaminiHochberg } from './benjamini-hochberg.ts';
import { binomialMidP } from './binomial-mid-p.ts';
import { logGamma } from './log-gamma.ts';
import { twoSidedP, twoSidedQuantile } from './student-t.ts';

test.each([
  [1, 0],
  [0.5, Math.log(Math.sqrt(Math.PI))],
  [5, Math.log(24)],
  [11, Math.log(3_628_800)],
  [171, 706.573062245787],
])('ln gamma of %d', (x, expected) => {
  expect(logGamma(x)).toBeCloseTo(expected, 10);
});

// Quantiles of the tables in every book: two-sided 0.05, 0.01, 0.001.
test.each([
  [1, [12.7062, 63.6567, 636.6193]],
  [4, [2.7764, 4.6041, 8.6103]],
  [31, [2.0395, 2.744, 3.6335]],
  [Number.POSITIVE_INFINITY, [1.959964, 2.575829, 3.290527]],
])('Student with %d degrees of freedom', (df, quantiles) => {
  for (const [i, p] of [0.05, 0.01, 0.001].entries()) {
    expect(twoSidedP(quantiles[i]!, df) / p).toBeCloseTo(1, 3);
    expect(twoSidedQuantile(p, df) / quantiles[i]!).toBeCloseTo(1, 4);
  }
  expect(twoSidedP(0, df)).toBeCloseTo(1, 12);
});

test('the normal tail is right far out, and p never grows with t', () => {
  // 2·(1 - Φ(10))
  expect(twoSidedP(10, Number.POSITIVE_INFINITY) / 1.523970604832094e-23).toBeCloseTo(1, 6);
  for (const df of [2, 30, Number.POSITIVE_INFINITY]) {
    let before = 1;
    for (let t = 0; t < 30; t += 0.05) {
      const p = twoSidedP(t, df);
      expect(p).toBeLessThanOrEqual(before + 1e-14);
      before = p;
    }
  }
});

test('the mid-p is what adding up the probabilities gives', () => {
  for (const share of [0.5, 0.1, 0.9]) {
    for (let n = 1; n <= 40; n += 3) {
      const pmf = Array.from({ length: n + 1 }, (_, k) =>
        Math.exp(
          logGamma(n + 1) -
            logGamma(k + 1) -
            logGamma(n - k + 1) +
            k * Math.log(share) +
            (n - k) * Math.log(1 - share),
        ),
      );
      for (let k = 0; k <= n; k++) {
        const below = pmf.slice(0, k).reduce((sum, p) => sum + p, 0) + pmf[k]! / 2;
        const expected = Math.min(1, 2 * Math.min(below, 1 - below));
        expect(binomialMidP(k, n - k, share)).toBeCloseTo(expected, 9);
        expect(binomialMidP(n - k, k, 1 - share)).toBeCloseTo(expected, 9);
      }
    }
  }
  expect(binomialMidP(0, 0, 0.5)).toBe(1);
});

test('Benjamini and Hochberg: their own example reports four of fifteen at 0.05', () => {
  const p = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528,
    0.759, 1,
  ];
  expect(benjaminiHochberg(p, 0.05)).toBe(0.0095);
  expect(benjaminiHochberg([0.2, 0.9], 0.05)).toBe(0);
  expect(benjaminiHochberg([], 0.05)).toBe(0);
  expect(benjaminiHochberg([0, 1], 0.05)).toBeGreaterThan(0);
});
