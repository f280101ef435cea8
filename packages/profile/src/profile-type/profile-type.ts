import { FleetflameError } from '../errors.ts';

/** A profile type taken apart: name:sample_type:sample_unit:period_type:period_unit. */
export interface ProfileType {
  /** The kind of profile: process_cpu, memory, mutex and so on. */
  readonly name: string;
  readonly sampleType: string;
  /** "" where a pprof file says none. */
  readonly sampleUnit: string;
  /** What a sample is taken for each `period` of; "" where profiles have no period. */
  readonly periodType: string;
  readonly periodUnit: string;
}

/** Characters of a profile type: one is stored with every series, and names come from pprof files. */
export const PROFILE_TYPE_MAX_LENGTH = 256;

const SHAPE = 'name:sample_type:sample_unit:period_type:period_unit';

/** Takes a whole profile type apart. Throws invalid_input. */
export function parseProfileType(id: string): ProfileType {
  const parts = id.split(':');
  const [name = '', sampleType = '', sampleUnit = '', periodType = '', periodUnit = ''] = parts;
  if (parts.length !== 5 || name === '' || sampleType === '') {
    const shown = id.length > 80 ? `${id.slice(0, 80).toWellFormed()}…` : id;
    throw new FleetflameError(
      'invalid_input',
      `"${shown}" is not a profile type: expected ${SHAPE}, such as process_cpu:cpu:nanoseconds:cpu:nanoseconds`,
      { field: 'profile_type' },
    );
  }
  return { name, sampleType, sampleUnit, periodType, periodUnit };
}

/** The inverse of parseProfileType. */
export function formatProfileType(type: ProfileType): string {
  return [type.name, type.sampleType, type.sampleUnit, type.periodType, type.periodUnit].join(':');
}
