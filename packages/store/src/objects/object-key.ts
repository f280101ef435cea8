/**
 * Keys are paths such as `blocks/019a...`. They never leave the store's root: a part starts with a
 * letter or digit, so neither `..` nor the hidden folder for unfinished objects can be named.
 */
import { FleetflameError } from '@fleetflame/profile';

/** Below the 255 bytes that every Linux file system takes for a name. */
export const MAX_KEY_PART_LENGTH = 200;
/** Below S3's 1024, with room for a bucket prefix. */
export const MAX_KEY_LENGTH = 512;

const PART = /^[A-Za-z0-9][A-Za-z0-9._=+-]*$/;

export function isObjectKey(key: string): boolean {
  return (
    key.length <= MAX_KEY_LENGTH &&
    key.split('/').every((part) => part.length <= MAX_KEY_PART_LENGTH && PART.test(part))
  );
}

/** Whole parts of a prefix must be parts of a key; the last one may be a part's beginning. */
export function checkObjectPrefix(prefix: string): void {
  const slash = prefix.lastIndexOf('/');
  if (slash >= 0) checkObjectKey(prefix.slice(0, slash));
}

export function checkObjectKey(key: string): void {
  if (!isObjectKey(key)) {
    throw new FleetflameError(
      'invalid_input',
      `${JSON.stringify(key.slice(0, 80))} is not an object key: parts of letters, digits and ._=+- separated by /, ` +
        `each starting with a letter or digit, at most ${MAX_KEY_PART_LENGTH} characters a part and ${MAX_KEY_LENGTH} in all.`,
      { field: 'key' },
    );
  }
}
