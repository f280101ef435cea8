import { basename } from 'node:path';
import { SYMBOL_LIMITS } from './limits.ts';

/** A base name without control characters, for people only: it never becomes a path. */
export function displayName(text: string): string {
  return basename(text.replaceAll(/\p{Cc}/gu, '')).slice(0, SYMBOL_LIMITS.fileNameLength);
}
