import { logGamma } from './log-gamma.ts';

/** Degrees of freedom from which on Student's t is the normal distribution, to 6 digits of p above 1e-9. */
const NORMAL_FROM = 1e7;
const MOST_TERMS = 500;
/** In place of 0 in a denominator of the continued fraction. */
const TINY = 1e-300;

/** Chance of |T| ≥ |t| with `df` degrees of freedom; Infinity: of a normal variable. NaN for NaN. */
export function twoSidedP(t: number, df: number): number {
  if (!Number.isFinite(t)) return Number.isNaN(t) ? t : 0;
  if (df >= NORMAL_FROM) return erfc(Math.abs(t) / Math.SQRT2);
  return incompleteBeta(df / (df + t * t), df / 2, 0.5);
}

/** The t of which `twoSidedP` is `p`, by bisection: for intervals that are shown. */
export function twoSidedQuantile(p: number, df: number): number {
  let low = 0;
  let high = 2;
  while (twoSidedP(high, df) > p && high < 1e9) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (twoSidedP(middle, df) > p) low = middle;
    else high = middle;
  }
  return high;
}

/** Regularized incomplete beta function I_x(a, b), by the continued fraction DLMF 8.17.22 (Lentz' way). */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction is quick on this side of the mean; the other side is its complement.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(
    a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b) - Math.log(a),
  );
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m < MOST_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * value;
}

function nonZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}

/** 1 - erf(x) of x ≥ 0: by the series of erf (DLMF 7.6.2) below 2.5, by the continued fraction 7.9.4 above. */
function erfc(x: number): number {
  const gauss = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; term > sum * 1e-17 && n < MOST_TERMS; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return 1 - 2 * gauss * sum;
  }
  let fraction = x;
  for (let n = 80; n > 0; n--) fraction = x + n / 2 / fraction;
  return gauss / fraction;
}
