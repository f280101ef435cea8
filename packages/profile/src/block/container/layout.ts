/**
 * The bytes around the tables. docs/format.md is the description; this is its constants.
 *
 *   magic │ series │ stacks │ locations │ functions │ mappings │ points │ samples │ footer │ length │ crc │ magic
 */
export const MAGIC = Uint8Array.of(0x46, 0x4c, 0x45, 0x45, 0x54, 0x42, 0x4b, 0x31); // FLEETBK1
/** The newest version; what has nothing of it is written as the oldest, which builds before read. */
export const FORMAT_VERSION = 3;
export const OLDEST_FORMAT_VERSION = 2;
/** Footer length, footer CRC32C, magic. */
export const TRAILER_BYTES = 4 + 4 + MAGIC.length;
export const TABLE_ALIGNMENT = 8;
/**
 * A record batch of samples or points with a body of at most this is read whole and checked whole, so its buffers
 * may be raw. One request reads this much either way; of larger ones single buffers are read, which
 * carry their own checksums.
 */
export const WHOLE_BATCH_BYTES = 64 << 10;

export function alignTable(offset: number): number {
  return Math.ceil(offset / TABLE_ALIGNMENT) * TABLE_ALIGNMENT;
}
