/**
 * Random access to the bytes of a file. `read` returns exactly the bytes [offset, offset + length), or fewer
 * where the file ends early (it may be truncated while it is read); the caller never asks beyond `size`.
 * The bytes returned belong to the caller until the next `read`: a source may reuse its buffer.
 */
export interface ByteSource {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

/** A source over bytes in memory; reads are views, nothing is copied. */
export function bufferSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}
