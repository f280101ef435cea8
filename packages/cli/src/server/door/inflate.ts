import { constants, gunzip } from 'node:zlib';
import { promisify } from 'node:util';
import type { Lease } from './receive-budget.ts';
import { Refusal } from './refusal.ts';

const unzip = promisify(gunzip);
/** zlib's own bound: one byte of deflate becomes 1,032 at most. */
const MOST_FOR_ONE = 1032;
const MIN_CHUNK = 1024;

/**
 * What gzip says of itself: its last four bytes are the size of what it holds, modulo 2^32. It is believed only as a
 * first guess of the room that is needed.
 */
export function claimedSize(bytes: Uint8Array): number {
  if (bytes.length < 18) return 0;
  const claim = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
  return Math.min(claim, bytes.length * MOST_FOR_ONE);
}

/**
 * Inflates gzip, never to more than `limit` bytes, and only to what the lease covers: on the threads of zlib, not on
 * the one that answers.
 * @throws Refusal for what is no gzip, what is larger than the limit, and (`full`) when there is no room for it
 */
export async function inflate(
  bytes: Uint8Array,
  limit: number,
  lease: Lease,
  full: () => Refusal,
): Promise<Uint8Array> {
  if (bytes.length === 0) return bytes;
  const guess = Math.max(MIN_CHUNK, claimedSize(bytes));
  if (guess > Math.max(limit, MIN_CHUNK)) throw tooLarge(limit);
  try {
    return await within(bytes, guess);
  } catch (error) {
    if (!isTooLarge(error)) throw noGzip(error);
  }
  // It has several members, or lies about its size.
  if (guess >= limit) throw tooLarge(limit);
  if (!lease.cover(limit)) throw full();
  try {
    return await within(bytes, limit);
  } catch (error) {
    throw isTooLarge(error) ? tooLarge(limit) : noGzip(error);
  }
}

/** One buffer of the size that is expected: nothing is copied together. */
async function within(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const chunkSize = Math.min(Math.max(maxBytes, MIN_CHUNK), 16 << 20);
  return await unzip(bytes, { maxOutputLength: maxBytes, chunkSize, finishFlush: constants.Z_FINISH });
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

function tooLarge(limit: number): Refusal {
  return new Refusal(
    'messageBytes',
    400,
    `The message is more than ${limit} bytes when it is inflated: send less at once.`,
  );
}

function noGzip(error: unknown): Refusal {
  const detail = error instanceof Error ? error.message : 'it cannot be read';
  return new Refusal('encoding', 400, `The body is not gzip, as its header says: ${detail}.`);
}
