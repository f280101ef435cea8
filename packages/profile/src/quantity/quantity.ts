/**
 * Numbers as people write them, from the values and units that profilers write: CPU time of whatever unit is cores, times
 * are scaled from nanoseconds to days, bytes by 1,024 (as pprof does, also for kilobytes), other units of physics by
 * their prefixes. A unit that is not known stays as it is. Three significant digits; whole numbers are whole.
 */
import { isCpuUnit, nanosecondsIn } from '../profile-type/units.ts';

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

interface Scale {
  /** One of the profile's unit in the first of the steps. */
  readonly factor: number;
  /** Ascending; sizes in the first one. */
  readonly steps: readonly ShownUnit[];
}

const TIMES: readonly ShownUnit[] = [
  { size: 1, suffix: 'ns' },
  { size: 1e3, suffix: 'µs' },
  { size: 1e6, suffix: 'ms' },
  { size: 1e9, suffix: 's' },
  { size: 6e10, suffix: 'min' },
  { size: 3.6e12, suffix: 'h' },
  { size: 8.64e13, suffix: 'd' },
];
const BYTES: readonly ShownUnit[] = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'].map((suffix, i) => ({
  size: 1024 ** i,
  suffix,
}));
const PREFIXES: readonly (readonly [word: string, symbol: string, factor: number])[] = [
  ['nano', 'n', 1e-9],
  ['micro', 'µ', 1e-6],
  ['milli', 'm', 1e-3],
  ['', '', 1],
  ['kilo', 'k', 1e3],
  ['mega', 'M', 1e6],
  ['giga', 'G', 1e9],
  ['tera', 'T', 1e12],
];
const PHYSICAL: readonly (readonly [words: RegExp, symbol: string])[] = [
  [/^joules?$/, 'J'],
  [/^watts?$/, 'W'],
  [/^(?:hertz|hz)$/, 'Hz'],
  [/^volts?$/, 'V'],
  [/^amperes?$/, 'A'],
  [/^(?:cycles?)$/, 'cycles'],
  [/^bits?$/, 'bit'],
];
const BYTE_WORDS = /^(?:(kilo|kibi|mega|mebi|giga|gibi|tera|tebi|peta|pebi)?bytes?|(k|m|g|t|p)?i?b)$/;
const COUNTS = /^(?:counts?|samples?|objects?|events?|)$/;

export function isCores({ unit, sampleType }: Pick<Quantity, 'unit' | 'sampleType'>): boolean {
  return isCpuUnit(sampleType, unit);
}

/** CPU time in a unit of time, over a time span, as a number of cores. */
export function cores(value: number, { unit, spanMs }: Pick<Quantity, 'unit' | 'spanMs'>): number {
  return spanMs > 0 ? (value * (nanosecondsIn(unit) ?? 1)) / (spanMs * 1e6) : 0;
}

/** The unit in which a value of that size is a number of one to three digits, for axes and for single values. */
export function shownUnit(value: number, { unit }: Pick<Quantity, 'unit'>): ShownUnit {
  const scale = scaleOf(unit.toLowerCase());
  if (scale === undefined)
    return { size: 1, suffix: COUNTS.test(unit) ? '' : unit === 'percent' ? '%' : unit };
  const size = Math.abs(value) * scale.factor;
  let chosen = scale.steps[0] ?? { size: 1, suffix: unit };
  // A rounding error below 1 is no reason for the smaller unit.
  for (const step of scale.steps) if (size >= step.size * (1 - 1e-12)) chosen = step;
  return { size: chosen.size / scale.factor, suffix: chosen.suffix };
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

function scaleOf(unit: string): Scale | undefined {
  const nanoseconds = nanosecondsIn(unit);
  if (nanoseconds !== undefined) return { factor: nanoseconds, steps: TIMES };
  const bytes = BYTE_WORDS.exec(unit);
  if (bytes !== null) {
    const letter = (bytes[1] ?? bytes[2] ?? '').charAt(0);
    return { factor: 1024 ** ['', 'k', 'm', 'g', 't', 'p'].indexOf(letter), steps: BYTES };
  }
  for (const [prefix, , factor] of PREFIXES) {
    if (!unit.startsWith(prefix)) continue;
    const known = PHYSICAL.find(([words]) => words.test(unit.slice(prefix.length)));
    if (known === undefined) continue;
    return {
      factor,
      steps: PREFIXES.map(([, symbol, size]) => ({ size, suffix: `${symbol}${known[1]}` })),
    };
  }
  return undefined;
}
