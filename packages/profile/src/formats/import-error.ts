import { FleetflameError } from '../errors.ts';
import { shortened } from './import-changes.ts';
import type { ImportLimitName } from './limits.ts';

/** A file that is not what its format asks for. `field`: line, row or path in the file. */
export function brokenFile(format: string, what: string, field?: string): FleetflameError {
  const where = field === undefined ? '' : ` at ${field}`;
  return new FleetflameError('invalid_input', `This is no valid ${format} file${where}: ${what}.`, {
    field: field ?? 'profile',
  });
}

/** A file that exceeds one of IMPORT_LIMITS. */
export function tooLargeFile(
  format: string,
  what: string,
  most: number,
  limit: ImportLimitName,
): FleetflameError {
  return new FleetflameError(
    'limit_exceeded',
    `The ${format} file has more than ${most} ${what} (limit ${limit}): split it or send less of it.`,
    { field: 'profile' },
  );
}

/** Text of a file for a message. */
export function quoted(text: string): string {
  return JSON.stringify(shortened(text, 60).toWellFormed());
}
