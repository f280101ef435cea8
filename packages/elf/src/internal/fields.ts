import type { ByteSource } from '../byte-source.ts';
import { ElfError } from '../elf-error.ts';

/** Reads [offset, offset + length) whole, or says what was missing. */
export function readExactly(source: ByteSource, offset: number, length: number, what: string): Uint8Array {
  if (length > source.size || offset > source.size - length) {
    throw new ElfError(
      `${what} lies at bytes ${offset} to ${offset + length}, but the file has only ${source.size}`,
    );
  }
  const bytes = source.read(offset, length);
  if (bytes.length !== length) {
    throw new ElfError(`${what}: the file ended while it was read (${bytes.length} of ${length} bytes)`);
  }
  return bytes;
}

/**
 * As `readExactly`, but the bytes are the caller's own: a source may reuse its buffer, and `slice` of a Node Buffer
 * does not copy.
 */
export function readCopy(
  source: ByteSource,
  offset: number,
  length: number,
  what: string,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readExactly(source, offset, length, what));
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A little-endian u64 as a number; NaN when it does not fit 2^53 exactly. */
export function u64(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true);
  return high > 0x1f_ffff ? Number.NaN : high * 0x1_0000_0000 + view.getUint32(offset, true);
}

/** As `u64`, but a value that does not fit is an error. */
export function u64Exact(view: DataView, offset: number, what: string): number {
  const value = u64(view, offset);
  if (Number.isNaN(value)) {
    throw new ElfError(
      `${what} is 0x${view.getBigUint64(offset, true).toString(16)}, beyond 2^53: such files are not read`,
    );
  }
  return value;
}

export function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % 0x1_0000_0000, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** The zero-ended string at `offset`, at most `limit` bytes of it; undefined when `offset` is outside. */
export function stringAt(bytes: Uint8Array, offset: number, limit: number): string | undefined {
  if (offset >= bytes.length) return undefined;
  const window = bytes.subarray(offset, offset + limit);
  const end = window.indexOf(0);
  return decoder.decode(end < 0 ? window : window.subarray(0, end));
}

const decoder = new TextDecoder();
