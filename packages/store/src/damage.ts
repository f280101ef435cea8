import type { ErrorCode } from '@fleetflame/profile';

/** Errors that say the object is bad, not that reading it failed this time. */
export function isDamage(code: ErrorCode | 'internal'): boolean {
  return (
    code === 'corrupt_data' || code === 'invalid_input' || code === 'not_found' || code === 'limit_exceeded'
  );
}
