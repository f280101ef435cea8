import { FleetflameError } from '../errors.ts';
import { parseProfileType } from './profile-type.ts';
import { unitFactor } from './units.ts';

/** Value of one sample: the period where values are measured in it, 1 where samples are counted; 0: not known. */
export function valueOfSample(profileType: string, period: number): number {
  // Some agents write a period of 1, which is none.
  if (period <= 1) return 0;
  try {
    const type = parseProfileType(profileType);
    const value = period * (unitFactor(type.periodUnit, type.sampleUnit) ?? 0);
    if (type.sampleType === type.periodType && value > 0) return Number.isInteger(value) ? value : 0;
    return type.sampleType === 'samples' && unitFactor(type.sampleUnit, 'count') === 1 ? 1 : 0;
  } catch (error) {
    if (error instanceof FleetflameError) return 0;
    throw error;
  }
}
