/**
 * Units as profilers write them: those that pprof knows, SI units by word or symbol, and the habits of the field ("secs",
 * "KB", "Percent"). Of two units of a family the larger is a whole number of the smaller, so that their values can be
 * added exactly. Kilobytes have 1,024 bytes, as in pprof.
 */
import type { ProfileType } from './profile-type.ts';

export interface Unit {
  /** Units of one family can be converted into each other: TIME, BYTES, PERCENT, a symbol of SI, or "of" and a name that is not known. */
  readonly family: string;
  /** One of it is size x 10^exponent of the family's own unit: picoseconds, bytes, joules... */
  readonly size: number;
  readonly exponent: number;
}

export const TIME = 'time';
export const BYTES = 'bytes';
export const PERCENT = 'percent';

/** Picoseconds, the smallest unit of time. */
const TIMES: readonly (readonly [names: string, picoseconds: number])[] = [
  ['ps psec picosec picosecond', 1],
  ['ns nsec nanosec nanosecond', 1e3],
  ['us µs μs usec µsec μsec microsec microsecond', 1e6],
  ['ms msec millisec millisecond', 1e9],
  ['s sec second', 1e12],
  ['ks kilosecond', 1e15],
  ['min minute', 6e13],
  ['h hr hour', 3.6e15],
  ['d day', 8.64e16],
  ['wk week', 6.048e17],
];
const PICOSECONDS: ReadonlyMap<string, number> = new Map(
  TIMES.flatMap(([names, size]) => names.split(' ').map((name) => [name, size] as const)),
);

const BYTE_WORDS =
  /^(?:(kilo|kibi|mega|mebi|giga|gibi|tera|tebi|peta|pebi|exa|exbi)?byte|([kmgtpe])?(?:ib|byte|b))$/;
const BYTE_LETTERS = ['', 'k', 'm', 'g', 't', 'p', 'e'];

/** Prefixes of SI as powers of ten. */
const WORD_PREFIXES: ReadonlyMap<string, number> = new Map([
  ['atto', -18],
  ['femto', -15],
  ['pico', -12],
  ['nano', -9],
  ['micro', -6],
  ['milli', -3],
  ['', 0],
  ['kilo', 3],
  ['mega', 6],
  ['giga', 9],
  ['tera', 12],
  ['peta', 15],
  ['exa', 18],
]);
/** Case tells milli from mega; for others any will do. Both micro signs of Unicode. */
const SYMBOL_PREFIXES: ReadonlyMap<string, number> = new Map([
  ['a', -18],
  ['f', -15],
  ['p', -12],
  ['n', -9],
  ['u', -6],
  ['\u00b5', -6],
  ['\u03bc', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['K', 3],
  ['M', 6],
  ['g', 9],
  ['G', 9],
  ['t', 12],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
/** Families that SI prefixes apply to: their symbol, their words, and whether the symbol takes prefixes too. */
const PHYSICAL: readonly {
  readonly symbol: string;
  readonly words: readonly string[];
  readonly prefixed: boolean;
}[] = [
  { symbol: 'J', words: ['joule'], prefixed: true },
  { symbol: 'W', words: ['watt'], prefixed: true },
  { symbol: 'Wh', words: ['watthour', 'watt-hour', 'watt_hour'], prefixed: true },
  { symbol: 'Hz', words: ['hertz'], prefixed: true },
  { symbol: 'V', words: ['volt'], prefixed: true },
  { symbol: 'A', words: ['ampere', 'amp'], prefixed: true },
  { symbol: 'Pa', words: ['pascal'], prefixed: true },
  { symbol: 'bit', words: ['bit'], prefixed: true },
  { symbol: 'C', words: ['coulomb'], prefixed: false },
  { symbol: 'K', words: ['kelvin'], prefixed: false },
  { symbol: 'N', words: ['newton'], prefixed: false },
  { symbol: 'g', words: ['gram', 'gramme'], prefixed: false },
  { symbol: 'm', words: ['meter', 'metre'], prefixed: false },
  { symbol: 'cycles', words: ['cycle'], prefixed: false },
  // Google's compute unit, which pprof scales.
  { symbol: 'GCU', words: ['gcu'], prefixed: false },
];

const PERCENT_WORDS = /^(?:%|pct|percent|percentage|per[ _-]cent)$/;
/** Families that are counted. */
const COUNTED = /^of (?:count|sample|object|event|contention|goroutine|thread|allocation)$/;

const known = new Map<string, Unit>();
/** Units that are remembered; files bring their own, so more are looked at each time. */
const REMEMBERED = 1024;

/** What a unit's spelling means; one that is not known is a family of its own. */
export function unitOf(spelling: string): Unit {
  let unit = known.get(spelling);
  if (unit === undefined) {
    unit = read(spelling.trim());
    if (known.size < REMEMBERED) known.set(spelling, unit);
  }
  return unit;
}

function read(text: string): Unit {
  const lower = text.toLowerCase();
  const one = singular(lower);
  const time = PICOSECONDS.get(lower) ?? PICOSECONDS.get(one);
  if (time !== undefined) return { family: TIME, size: time, exponent: 0 };
  const bytes = BYTE_WORDS.exec(lower) ?? BYTE_WORDS.exec(one);
  if (bytes !== null) {
    const letter = (bytes[1] ?? bytes[2] ?? '').charAt(0);
    return { family: BYTES, size: 1024 ** BYTE_LETTERS.indexOf(letter), exponent: 0 };
  }
  if (PERCENT_WORDS.test(one)) return { family: PERCENT, size: 1, exponent: 0 };
  return physical(text, one) ?? { family: `of ${one}`, size: 1, exponent: 0 };
}

function physical(text: string, word: string): Unit | undefined {
  for (const { symbol, words, prefixed } of PHYSICAL) {
    for (const name of words) {
      const exponent = word.endsWith(name) ? WORD_PREFIXES.get(word.slice(0, -name.length)) : undefined;
      if (exponent !== undefined) return { family: symbol, size: 1, exponent };
    }
    if (text === symbol) return { family: symbol, size: 1, exponent: 0 };
    if (!prefixed || !text.toLowerCase().endsWith(symbol.toLowerCase())) continue;
    const prefix = text.slice(0, -symbol.length);
    // Nobody counts thousandths of a hertz: "mhz" is a spelling of MHz.
    const exponent = SYMBOL_PREFIXES.get(symbol === 'Hz' && prefix === 'm' ? 'M' : prefix);
    if (exponent !== undefined) return { family: symbol, size: 1, exponent };
  }
  return undefined;
}

/** As pprof does: not for two letters, which are "ns" and the like. */
function singular(word: string): string {
  return word.length > 2 && word.endsWith('s') ? word.slice(0, -1) : word;
}

/**
 * How many of the unit `into` one of `from` is: a whole number, or, into a larger unit, a fraction. Undefined where they
 * are of different families.
 */
export function unitFactor(from: string, into: string): number | undefined {
  const [a, b] = [unitOf(from), unitOf(into)];
  if (a.family !== b.family) return undefined;
  const powers = a.exponent - b.exponent;
  const sizes = a.size / b.size;
  // Not by a negative power, which float64 does not have.
  return powers < 0 ? sizes / 10 ** -powers : sizes * 10 ** powers;
}

/** Equal for spellings of one unit. */
export function unitKey(spelling: string): string {
  const { family, size, exponent } = unitOf(spelling);
  return `${family} ${size} ${exponent}`;
}

/** Nanoseconds in one of a unit of time; undefined: it is none. */
export function nanosecondsIn(unit: string): number | undefined {
  const { family, size } = unitOf(unit);
  return family === TIME ? size / 1e3 : undefined;
}

/** Nanoseconds in one unit of a profile type's values; undefined: they are no times. */
export function nanosecondsPerUnit(type: ProfileType): number | undefined {
  return nanosecondsIn(type.sampleUnit);
}

/** CPU time, whatever profiler measured it. Wall time and delays have no bound by CPUs. */
export function isCpuTime({ sampleType, sampleUnit }: ProfileType): boolean {
  return isCpuUnit(sampleType, sampleUnit);
}

export function isCpuUnit(sampleType: string, unit: string): boolean {
  return /^cpu(?:[-_ ]?time)?$/i.test(sampleType) && nanosecondsIn(unit) !== undefined;
}

/** Whether values below zero mean something: not for times, bytes and counts, which is all that profilers count. */
export function canBeNegative(type: ProfileType): boolean {
  const { family } = unitOf(type.sampleUnit);
  return family !== TIME && family !== BYTES && !COUNTED.test(family);
}
