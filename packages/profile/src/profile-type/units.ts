import type { ProfileType } from './profile-type.ts';

/** Nanoseconds in one of each unit of time that profiles use. */
const TIME_UNITS: ReadonlyMap<string, number> = new Map([
  ['nanoseconds', 1],
  ['nanosecond', 1],
  ['ns', 1],
  ['microseconds', 1e3],
  ['microsecond', 1e3],
  ['us', 1e3],
  ['milliseconds', 1e6],
  ['millisecond', 1e6],
  ['ms', 1e6],
  ['seconds', 1e9],
  ['second', 1e9],
  ['s', 1e9],
  ['minutes', 6e10],
  ['minute', 6e10],
  ['hours', 3.6e12],
  ['hour', 3.6e12],
  ['µs', 1e3],
  ['μs', 1e3],
  ['min', 6e10],
  ['h', 3.6e12],
  ['days', 8.64e13],
  ['day', 8.64e13],
  ['d', 8.64e13],
  ['weeks', 6.048e14],
  ['week', 6.048e14],
]);

const BYTE_UNIT = /^(?:[kmgtp]i?b|(?:kilo|mega|giga|tera|peta|kibi|mebi|gibi|tebi|pebi)?bytes?|b)$/i;
const COUNTED = /^(?:counts?|samples?|objects?|events?|contentions?|goroutines?|threads?|allocations?)$/i;

/** Nanoseconds in one of a unit of time; undefined: it is none. */
export function nanosecondsIn(unit: string): number | undefined {
  return TIME_UNITS.get(unit.toLowerCase());
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
  const { sampleUnit } = type;
  return nanosecondsPerUnit(type) === undefined && !BYTE_UNIT.test(sampleUnit) && !COUNTED.test(sampleUnit);
}
