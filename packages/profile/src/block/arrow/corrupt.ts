import { FleetflameError } from '../../errors.ts';

export function corrupt(field: string, what: string, cause?: unknown): FleetflameError {
  return new FleetflameError('corrupt_data', `The block is corrupt at ${field}: ${what}.`, { field, cause });
}
