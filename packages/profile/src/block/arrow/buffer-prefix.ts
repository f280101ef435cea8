/** What stands before every buffer that is not empty: an int64, the uncompressed size or -1 for "as it is". */
export const PREFIX_BYTES = 8;

export const RAW_PREFIX: Uint8Array = new Uint8Array(PREFIX_BYTES).fill(0xff);

export function alignBuffer(length: number): number {
  return Math.ceil(length / 8) * 8;
}
