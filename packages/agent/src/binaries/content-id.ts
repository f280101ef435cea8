import { createHash } from 'node:crypto';
import type { ByteSource } from '@fleetflame/elf';

/** "htl" in hex: head, tail, length. With it the id has 38 digits, which no kind of build id has. */
const PREFIX = '68746c';
const PART_BYTES = 4096;

/**
 * An id for a binary that carries none: SHA-256 of its first and last 4 KiB and its size (64 bits, big-endian),
 * the first 16 bytes, as OpenTelemetry's process.executable.build_id.htlhash, behind PREFIX.
 */
export function contentId(source: ByteSource): string {
  const hash = createHash('sha256');
  hash.update(source.read(0, Math.min(PART_BYTES, source.size)));
  const tailAt = Math.max(0, source.size - PART_BYTES);
  hash.update(source.read(tailAt, source.size - tailAt));
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(source.size));
  hash.update(size);
  return PREFIX + hash.digest('hex').slice(0, 32);
}
