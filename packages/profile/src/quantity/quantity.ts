/**
 * Numbers as people write them, from the values and units that profilers write: CPU time of whatever unit is cores, times
 * are scaled from picoseconds to days, bytes by 1,024 (as pprof does, also for kilobytes), other units of physics by
 * their prefixes. A unit that is not known stays as it is. Three significant digits; whole numbers are whole.
 */
import { BYTES, isCpuUnit, nanosecondsIn, PERCENT, TIME, unitOf } from '../profile-type/units.ts';

export interface Quantity {
  /** Unit of the profile type: nanoseconds, bytes, count... */
  readonly unit: string;
  /** Sample type of the profile type: cpu, wall, alloc_space... */
  readonly sampleType: string;
  /** Time that the values were taken over, in milliseconds. */
  readonly spanMs: number;
}

export interface Amount {
  readonly number: string;
  /** What follows the number, such as "cores" or "MiB"; "" for a count. */
  readonly suffix: string;
}

/** A unit to show values in: so many of the profile's own are one of it. */
export interface ShownUnit {
  readonly size: number;
  readonly suffix: string;
}

/** Sizes in picoseconds. */
const TIMES: readonly ShownUnit[] = [
  { size: 1, suffix: 'ps' },
  { size: 1e3, suffix: 'ns' },
  { size: 1e6, suffix: 'µs' },
  { size: 1e9, suffix: 'ms' },
  { size: 1e12, suffix: 's' },
  { size: 6e13, suffix: 'min' },
  { size: 3.6e15, suffix: 'h' },
  { size: 8.64e16, suffix: 'd' },
];
const BYTE_STEPS: readonly ShownUnit[] = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'].map((suffix, i) => ({
  size: 1024 ** i,
  suffix,
}));
const PREFIXES = ['a', 'f', 'p', 'n', 'µ', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'].map((symbol, i) => ({
  symbol,
  size: Number(`1e${3 * i - 18}`),
}));
/** Families of units whose numbers stand alone. */
const COUNTS = /^of (?:count|sample|object|event|)$/;

export function isCores({ unit, sampleType }: Pick<Quantity, 'unit' | 'sampleType'>): boolean {
  return isCpuUnit(sampleType, unit);
}

/** CPU time in a unit of time, over a time span, as a number of cores. */
export function cores(value: number, { unit, spanMs }: Pick<Quantity, 'unit' | 'spanMs'>): number {
  return spanMs > 0 ? (value * (nanosecondsIn(unit) ?? 1)) / (spanMs * 1e6) : 0;
}

/** The unit in which a value of that size is a number of one to three digits, for axes and for single values. */
export function shownUnit(value: number, { unit }: Pick<Quantity, 'unit'>): ShownUnit {
  const { family, size: unitSize, exponent } = unitOf(unit);
  const steps = stepsOf(family);
  if (steps === undefined)
    return { size: 1, suffix: COUNTS.test(family) ? '' : family === PERCENT ? '%' : unit };
  const factor = unitSize * Number(`1e${exponent}`);
  const size = Math.abs(value) * factor;
  let chosen = steps[0] ?? { size: 1, suffix: unit };
  // Nothing is nothing of the unit that was counted in.
  if (size === 0) for (const step of steps) if (factor >= step.size * (1 - 1e-12)) chosen = step;
  // A rounding error below 1 is no reason for the smaller unit.
  for (const step of steps) if (size >= step.size * (1 - 1e-12)) chosen = step;
  return { size: chosen.size / factor, suffix: chosen.suffix };
}

export function amountOf(value: number, quantity: Quantity): Amount {
  if (isCores(quantity)) return { number: threeDigits(cores(value, quantity)), suffix: 'cores' };
  const { size, suffix } = shownUnit(value, quantity);
  return { number: plainNumber(value / size), suffix };
}

export function formatAmount(value: number, quantity: Quantity): string {
  const { number, suffix } = amountOf(value, quantity);
  return suffix === '' ? number : `${number} ${suffix}`;
}

/** 18,432 · 312 · 1.87 · 0.0420 · 0 */
export function threeDigits(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  if (size < 0.0001) return value < 0 ? '-<0.0001' : '<0.0001';
  const decimals = Math.min(5, Math.max(0, 2 - Math.floor(Math.log10(size))));
  return value.toFixed(decimals);
}

function plainNumber(value: number): string {
  const whole = Math.round(value);
  return Math.abs(value - whole) <= Math.abs(whole) * 1e-12
    ? whole.toLocaleString('en-US')
    : threeDigits(value);
}

/** Ascending, in the family's own unit; undefined: it is not scaled. */
function stepsOf(family: string): readonly ShownUnit[] | undefined {
  if (family === TIME) return TIMES;
  if (family === BYTES) return BYTE_STEPS;
  if (family === PERCENT || family.startsWith('of ')) return undefined;
  return PREFIXES.map(({ symbol, size }) => ({ size, suffix: `${symbol}${family}` }));
}
