/**
 * Names what a batch holds, so that a repeat can be told from something else under the same numbers: who sends
 * what under whose number is a claim. 128 bits of SHA-256 (65 us for 100 kB), since whoever sends the other
 * content may choose it: for a checksum it would be made to fit.
 */
import { createHash, hash } from 'node:crypto';

/** 128 bits in base64. */
const DIGITS = 22;

/** Of a batch as its agent sent it: the spool keeps its bytes, so a repeat has the same. */
export function batchContent(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64url').slice(0, DIGITS);
}

/**
 * Of a pushed file with its labels, and how it is to be read where that was said. Not of its time: a push that
 * is repeated with `--time now` is a repeat.
 */
export function pushContent(
  file: Uint8Array,
  labels: Readonly<Record<string, string>>,
  said: Readonly<Record<string, string>> = {},
): string {
  const content = createHash('sha256').update(file);
  const names = Object.keys(labels).toSorted();
  content.update(JSON.stringify(names.map((name) => [name, labels[name]])));
  const read = Object.entries(said).filter(([, value]) => value !== '');
  if (read.length > 0) content.update(JSON.stringify(read));
  return content.digest('base64url').slice(0, DIGITS);
}
