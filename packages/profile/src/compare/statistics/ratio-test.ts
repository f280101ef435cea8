/**
 * Whether a ratio (value of a function ÷ denominator) differs between two sides more than chance explains:
 * analysis of units that are sampled whole (hosts), as in Cochran, Sampling Techniques, 3rd ed., section 6.3, never
 * below the error of the sampling itself (Poisson).
 *
 *     R = Σv / Σd      V = max( m/(m-1) · Σ(v_u - R·d_u)² / (Σd)² ,  s·Σv / (Σd)² )        s: value of one sample
 */
import { binomialMidP } from './binomial-mid-p.ts';
import { twoSidedP } from './student-t.ts';

/** One side of a test. */
export interface RatioSide {
  /** Sum over all units. */
  readonly value: number;
  /** Sum over all units; above 0. */
  readonly denominator: number;
  /** Of one sample, in the unit of `value`. */
  readonly sampleValue: number;
  /** Per unit, the same length on both sides: 0 and 0 where a unit is not on this side. Undefined: not known. */
  readonly units?: { readonly values: Float64Array; readonly denominators: Float64Array } | undefined;
}

export interface RatioTest {
  /** R of the new side minus R of the base. */
  readonly difference: number;
  /** Of the difference. */
  readonly variance: number;
  /** Infinity where the error is that of sampling alone. */
  readonly degreesOfFreedom: number;
  readonly p: number;
}

/** Below so many samples on both sides together, the exact test has a say. */
const EXACT_BELOW = 50;
/** Or below so many on one side: where denominators differ much, the normal approximation fails there. */
const EXACT_BELOW_A_SIDE = 25;

/** `paired`: the units of both sides are the same ones, so what a unit always does is no difference. */
export function testRatios(base: RatioSide, next: RatioSide, paired: boolean): RatioTest {
  const ratioA = base.value / base.denominator;
  const ratioB = next.value / next.denominator;
  const poissonA = poissonVariance(base);
  const poissonB = poissonVariance(next);
  const difference = ratioB - ratioA;
  let variance = poissonA + poissonB;
  let degreesOfFreedom = Number.POSITIVE_INFINITY;
  if (base.units !== undefined && next.units !== undefined) {
    const spreadA = residuals(base.units, ratioA, base.denominator);
    const spreadB = residuals(next.units, ratioB, next.denominator);
    if (paired) {
      let squares = 0;
      let units = 0;
      for (let u = 0; u < spreadA.of.length; u++) {
        squares += (spreadB.of[u]! - spreadA.of[u]!) ** 2;
        if (base.units.denominators[u]! > 0 || next.units.denominators[u]! > 0) units++;
      }
      variance = Math.max((units / (units - 1)) * squares, poissonA + poissonB);
      degreesOfFreedom = units - 1;
    } else {
      const a = Math.max((spreadA.units / (spreadA.units - 1)) * spreadA.squares, poissonA);
      const b = Math.max((spreadB.units / (spreadB.units - 1)) * spreadB.squares, poissonB);
      variance = a + b;
      // Satterthwaite's.
      degreesOfFreedom = (a + b) ** 2 / (a ** 2 / (spreadA.units - 1) + b ** 2 / (spreadB.units - 1));
    }
  }
  // Nothing on either side is no difference.
  let p = variance > 0 ? twoSidedP(difference / Math.sqrt(variance), degreesOfFreedom) : 1;
  const samplesA = base.value / base.sampleValue;
  const samplesB = next.value / next.sampleValue;
  if (samplesA + samplesB < EXACT_BELOW || Math.min(samplesA, samplesB) < EXACT_BELOW_A_SIDE) {
    const weightA = base.denominator / base.sampleValue;
    const weightB = next.denominator / next.sampleValue;
    p = Math.max(
      p,
      binomialMidP(Math.max(0, samplesA), Math.max(0, samplesB), weightA / (weightA + weightB)),
    );
  }
  return { difference, variance, degreesOfFreedom, p };
}

/** s·Σv / D²: the variance of a sum of Poisson counts, each of which weighs s. */
function poissonVariance({ value, sampleValue, denominator }: RatioSide): number {
  return (sampleValue * Math.abs(value)) / denominator ** 2;
}

/** (v_u - R·d_u) / D of each unit, the sum of their squares, and how many units there are. */
function residuals(
  { values, denominators }: NonNullable<RatioSide['units']>,
  ratio: number,
  denominator: number,
): { readonly of: Float64Array; readonly squares: number; readonly units: number } {
  const of = new Float64Array(values.length);
  let squares = 0;
  let units = 0;
  for (let u = 0; u < values.length; u++) {
    if (denominators[u]! <= 0) continue;
    units++;
    of[u] = (values[u]! - ratio * denominators[u]!) / denominator;
    squares += of[u]! ** 2;
  }
  return { of, squares, units };
}
