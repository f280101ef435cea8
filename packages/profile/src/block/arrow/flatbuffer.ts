/**
 * Reads FlatBuffers tables, the form of Arrow's metadata, out of bytes that nobody vouches for.
 * Every access goes through a DataView, which throws a RangeError past the end, and every vector is
 * measured before it is looped over. (Readers made by the FlatBuffers compiler trust lengths.)
 *
 *   table:  i32 back to its vtable, then the fields
 *   vtable: u16 its size, u16 the table's size, u16 offset of field 0, of field 1, ...
 */

/** Strings may share bytes, so a small file could ask for many long ones: bounded, as vectors are. */
const STRING_BYTES_MAX = 1 << 22;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class FlatTable {
  readonly #view: DataView;
  readonly #position: number;

  constructor(view: DataView, position: number) {
    this.#view = view;
    this.#position = position;
  }

  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  bool(field: number): boolean {
    return this.u8(field) !== 0;
  }

  u8(field: number): number {
    const at = this.#field(field);
    return at === 0 ? 0 : this.#view.getUint8(at);
  }

  i16(field: number): number {
    const at = this.#field(field);
    return at === 0 ? 0 : this.#view.getInt16(at, true);
  }

  i32(field: number): number {
    const at = this.#field(field);
    return at === 0 ? 0 : this.#view.getInt32(at, true);
  }

  /** A size or an offset: throws a RangeError unless it is an integer from 0 to 2^53. */
  size(field: number): number {
    const at = this.#field(field);
    return at === 0 ? 0 : readSize(this.#view, at);
  }

  table(field: number): FlatTable | undefined {
    const at = this.#field(field);
    return at === 0 ? undefined : new FlatTable(this.#view, this.#follow(at));
  }

  string(field: number): string {
    const at = this.#field(field);
    if (at === 0) return '';
    const start = this.#follow(at);
    const length = this.#view.getUint32(start, true);
    if (length > STRING_BYTES_MAX) throw new RangeError(`a string of ${length} bytes`);
    return decoder.decode(new Uint8Array(this.#view.buffer, this.#inside(start + 4, length), length));
  }

  tables(field: number, max: number): FlatTable[] {
    const { start, count } = this.#vector(field, 4, max);
    return Array.from({ length: count }, (_, i) => new FlatTable(this.#view, this.#follow(start + 4 * i)));
  }

  /** A vector of structs, each read by `read` from its position. */
  structs<T>(field: number, bytes: number, max: number, read: (view: DataView, at: number) => T): T[] {
    const { start, count } = this.#vector(field, bytes, max);
    return Array.from({ length: count }, (_, i) => read(this.#view, start + bytes * i));
  }

  #vector(field: number, itemBytes: number, max: number): { start: number; count: number } {
    const at = this.#field(field);
    if (at === 0) return { start: 0, count: 0 };
    const start = this.#follow(at);
    const count = this.#view.getUint32(start, true);
    if (count > max) throw new RangeError(`a vector of ${count}, more than ${max}`);
    this.#inside(start + 4, count * itemBytes);
    return { start: start + 4, count };
  }

  #field(field: number): number {
    const vtable = this.#position - this.#view.getInt32(this.#position, true);
    const slot = 4 + 2 * field;
    if (slot + 2 > this.#view.getUint16(vtable, true)) return 0;
    const offset = this.#view.getUint16(vtable + slot, true);
    return offset === 0 ? 0 : this.#position + offset;
  }

  #follow(at: number): number {
    return at + this.#view.getUint32(at, true);
  }

  /** Offset in the underlying buffer of `length` bytes that lie inside the view. */
  #inside(at: number, length: number): number {
    if (at + length > this.#view.byteLength) throw new RangeError(`${length} bytes at ${at} do not fit`);
    return this.#view.byteOffset + at;
  }
}

export function readSize(view: DataView, at: number): number {
  const size = view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
  if (!Number.isSafeInteger(size)) throw new RangeError(`${size} is no size`);
  return size;
}
