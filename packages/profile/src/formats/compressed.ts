/**
 * Files come plain, or with gzip or zstd around them, sometimes twice (a gzip file that was sent with
 * gzip). What is inside is looked for by the first bytes, and bounded as a whole.
 */
import { gunzip, gunzipMembers, zstdFrames } from '#compression';

import { FleetflameError } from '../errors.ts';
import type { ImportChanges } from './import-changes.ts';

/** Wrappings that are taken off: nobody means more, and each costs a pass. */
const MOST_WRAPPINGS = 3;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

export function isZstd(bytes: Uint8Array): boolean {
  return bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd;
}

/** What is inside; the bytes themselves where nothing is around. Throws invalid_input, limit_exceeded. */
export function unwrap(bytes: Uint8Array, maxBytes: number, changes: ImportChanges): Uint8Array {
  let inner = bytes;
  for (let i = 0; i < MOST_WRAPPINGS; i++) {
    if (isGzip(inner)) inner = inflate(inner, maxBytes, changes);
    else if (isZstd(inner)) inner = unzstd(inner, maxBytes, changes);
    else return inner;
  }
  return inner;
}

function inflate(bytes: Uint8Array, maxBytes: number, changes: ImportChanges): Uint8Array {
  try {
    return gunzip(bytes, maxBytes);
  } catch (error) {
    if (!(error instanceof FleetflameError) || error.code === 'limit_exceeded') throw error;
    // Bytes behind the last member look like damage to node:zlib; members one by one tell them apart.
    const { content, trailingBytes } = gunzipMembers(bytes, maxBytes);
    if (trailingBytes === 0 || trailingBytes === bytes.length) throw error;
    return noted(content, trailingBytes, changes);
  }
}

function unzstd(bytes: Uint8Array, maxBytes: number, changes: ImportChanges): Uint8Array {
  const { content, trailingBytes } = zstdFrames(bytes, maxBytes);
  if (trailingBytes === bytes.length) throw new FleetflameError('invalid_input', 'The zstd data is cut off.');
  return noted(content, trailingBytes, changes);
}

function noted(content: Uint8Array, trailingBytes: number, changes: ImportChanges): Uint8Array {
  if (trailingBytes > 0) changes.note('trailing_bytes', `${trailingBytes} bytes`, trailingBytes);
  return content;
}
