/** Bytes that are read in ranges: an object in a store, or a file. */
export interface RangeSource {
  readonly size: number;
  /** Exactly `length` bytes; the caller never asks past `size`. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A source of bytes that are in memory. */
export function bytesSource(bytes: Uint8Array): RangeSource {
  return {
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}
