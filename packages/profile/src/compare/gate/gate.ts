/** Decides whether a difference is one that must not pass. */
import { FleetflameError } from '../../errors.ts';
import { parseProfileType } from '../../profile-type/profile-type.ts';
import { isCpuTime, unitFactor } from '../../profile-type/units.ts';
import { cores } from '../../quantity/quantity.ts';
import { isWhole, type SideFacts } from '../comparability.ts';
import { MIN_SAMPLES, type Comparison, type FunctionDelta, type Significance } from '../compare-profiles.ts';
import { BASE, NEW } from '../frame-matcher.ts';
import { samplesNeeded, smallestChange } from '../interval.ts';
import type { Bound, Condition } from './condition.ts';

export interface GateOptions {
  readonly conditions: readonly Condition[];
  /** Functions count whose change may be chance, too. */
  readonly any?: boolean;
}

export interface GateFailure {
  readonly condition: Condition;
  /** In the order of the comparison; at least one. */
  readonly functions: readonly FunctionDelta[];
}

export interface GateResult {
  readonly failures: readonly GateFailure[];
  /** Why the data cannot answer, and how much more is needed; empty: it can. */
  readonly missing: readonly string[];
  /** What the gate may have overlooked though the data are enough to ask. */
  readonly notes: readonly string[];
}

/** The sides of a comparison, [base, new]. */
export type GateSides = readonly [SideFacts, SideFacts];

/** Throws invalid_input for a bound whose unit these profiles do not have. */
export function judge(comparison: Comparison, sides: GateSides, options: GateOptions): GateResult {
  const failures: GateFailure[] = [];
  for (const condition of options.conditions) {
    const tests = condition.bounds.map((bound) => boundTest(bound, comparison, sides, options.any ?? false));
    const functions = comparison.functions.filter((fn) => tests.every((holds) => holds(fn)));
    if (functions.length > 0) failures.push({ condition, functions });
  }
  const missing = missingData(comparison, sides, options.any ?? false);
  const isSure = options.any === true || missing.length > 0;
  return { failures, missing, notes: isSure ? [] : sensitivity(options.conditions, sides) };
}

/** Whether a bound holds of a function. */
function boundTest(
  bound: Bound,
  comparison: Comparison,
  sides: GateSides,
  any: boolean,
): (fn: FunctionDelta) => boolean {
  const measure = measureOf(bound, comparison, sides);
  return (fn) => {
    const isReal = any || testOf(bound, fn)?.significant === true;
    if (!isReal) return false;
    const value = measure(fn);
    return bound.inclusive ? value >= bound.amount : value > bound.amount;
  };
}

function testOf({ measure }: Bound, fn: FunctionDelta): Significance | undefined {
  return measure === 'self' ? fn.selfTest : fn.totalTest;
}

/** The number that is held against the bound's amount; NaN where the measure does not speak of the function. */
function measureOf(
  { measure, unit }: Bound,
  { denominators }: Comparison,
  sides: GateSides,
): (fn: FunctionDelta) => number {
  const [base, next] = sides;
  const [baseD, nextD] = denominators;
  const values = (fn: FunctionDelta): readonly [number, number] => {
    if (measure === 'self') return [fn.baseSelf, fn.self];
    if (measure === 'total') return [fn.baseTotal, fn.total];
    if (measure === 'new') return [0, fn.presence === 'new' ? fn.total : Number.NaN];
    // As much as is gone.
    return [0, fn.presence === 'gone' ? fn.baseTotal : Number.NaN];
  };
  // Which side a value of `values` is of: what is gone is of the base.
  const [side, sideD] = measure === 'gone' ? [base, baseD] : [next, nextD];
  const isChange = measure === 'self' || measure === 'total';
  if (unit === '%' && isChange) {
    return (fn) => {
      const [was, is] = values(fn);
      const change = is / nextD - was / baseD;
      return was === 0 ? (is > 0 ? Number.POSITIVE_INFINITY : 0) : (100 * change) / (was / baseD);
    };
  }
  if (unit === '%' || unit === 'points') {
    return (fn) => {
      const [was, is] = values(fn);
      return 100 * (share(is, side.total) - share(was, base.total));
    };
  }
  const type = parseProfileType(side.profileType);
  if (unit === 'core' || unit === 'cores') {
    if (!isCpuTime(type)) throw noSuchUnit(unit, `${type.sampleType} in ${type.sampleUnit} is no CPU time`);
    if (sides.some(({ spanMs }) => spanMs === 0))
      throw noSuchUnit(unit, 'a file does not say how long it took; use %, points or seconds');
    return (fn) => {
      const [was, is] = values(fn);
      return coresOn(side, is) - coresOn(base, was);
    };
  }
  const factor = unitFactor(type.sampleUnit, unit);
  if (factor === undefined) throw noSuchUnit(unit, `these profiles are in ${type.sampleUnit || 'no unit'}`);
  // Within the window of NEW (or of BASE, for what is gone): what is there less what the base's rate comes to.
  return (fn) => {
    const [was, is] = values(fn);
    return factor * (is - (was / baseD) * sideD);
  };
}

function coresOn({ profileType, spanMs }: SideFacts, value: number): number {
  return cores(value, { unit: parseProfileType(profileType).sampleUnit, spanMs });
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function noSuchUnit(unit: string, reason: string): FleetflameError {
  return new FleetflameError('invalid_input', `--fail-if: ${unit} cannot be asked here: ${reason}`, {
    field: 'fail_if',
  });
}

/** Reasons why no answer of the gate can be trusted. */
function missingData({ basis, tests }: Comparison, sides: GateSides, any: boolean): string[] {
  const missing: string[] = [];
  for (const [i, { total, coverage, pruned }] of sides.entries()) {
    const name = i === BASE ? 'BASE' : 'NEW';
    if (total === 0)
      missing.push(`${name} has no samples: at least ${MIN_SAMPLES} are needed on both sides together`);
    if (pruned > 0) {
      missing.push(
        `${name} was pruned, ${(100 * share(pruned, total)).toFixed(1)} % of it is missing: narrow the selector or the range`,
      );
    }
    if (coverage !== undefined && !isWhole(coverage)) {
      const parts = [];
      if (coverage.answered < coverage.expected)
        parts.push(
          `${coverage.answered} of ${coverage.expected} blocks answered: ask again when all are there`,
        );
      if (coverage.gaps > 0) parts.push('parts of its time are not stored any more: choose a younger range');
      missing.push(`of ${name} ${parts.join('; ')}`);
    }
  }
  if (any || missing.length > 0) return missing;
  if (basis === 'none') {
    missing.push(
      'what one sample weighs is not known on both sides, so chance cannot be told from change: --any judges without',
    );
  } else if (tests === 0) {
    const samples = sides.map(({ total, sampleValue }) => Math.round(total / sampleValue));
    const all = samples[BASE]! + samples[NEW]!;
    missing.push(
      `there are ${all} samples on both sides together, and no function has the ${MIN_SAMPLES} that a test needs: ${Math.max(1, MIN_SAMPLES - all)} more at least, so run ${Math.ceil(Math.max(2, MIN_SAMPLES / Math.max(1, all)))} times as long`,
    );
  }
  return missing;
}

/** For the least share that is asked for: whether a function could have enough samples. */
function sensitivity(conditions: readonly Condition[], sides: GateSides): string[] {
  const least = Math.min(
    ...conditions.flatMap(({ bounds }) =>
      bounds
        .filter(
          ({ measure, unit, amount }) =>
            unit === '%' && amount > 0 && (measure === 'self' || measure === 'total'),
        )
        .map(({ amount }) => amount),
    ),
  );
  if (!Number.isFinite(least) || sides.some(({ sampleValue, total }) => sampleValue <= 0 || total <= 0))
    return [];
  const needed = samplesNeeded(least / 100);
  const samples = Math.min(...sides.map(({ total, sampleValue }) => total / sampleValue));
  if (samples >= needed) return [];
  return [
    `a change of ${least} % is seen in functions with about ${needed} samples a side, and the whole of the smaller side has ${Math.round(samples)}: below ${(100 * smallestChange(samples)).toFixed(0)} % it may be overlooked; ${(needed / samples).toFixed(1)} times as many samples would do`,
  ];
}
