/**
 * Reads rows of a block one after the other. A row is
 *
 * ```
 * varint distance << 2 | new file << 1 | new call,  [delta of call,]  [delta of file,]  delta of line
 * ```
 * counted from the row before, and in front of the first from the block's start and zeros. Varints have 7 bits a
 * byte, low ones first; deltas are zigzag, modulo 2^32.
 */
export class RowReader {
  /** From the table's base. */
  address = 0;
  /** The innermost inlined call, index plus 1; 0: none. */
  call = 0;
  /** Index of the file plus 1, 0 where unknown. */
  file = 0;
  line = 0;
  #rows: Uint8Array = new Uint8Array();
  #at = 0;
  #end = 0;

  /** Goes to the front of the block that lies in [at, end) of `rows`. */
  begin(rows: Uint8Array, at: number, end: number, start: number): void {
    this.#rows = rows;
    this.#at = at;
    this.#end = end;
    this.address = start;
    this.call = 0;
    this.file = 0;
    this.line = 0;
  }

  /** False at the end of the block; then nothing has changed. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const head = this.#varint();
    this.address += head >>> 2;
    if ((head & 1) !== 0) this.call = (this.call + this.#delta()) >>> 0;
    if ((head & 2) !== 0) this.file = (this.file + this.#delta()) >>> 0;
    this.line = (this.line + this.#delta()) >>> 0;
    return true;
  }

  /** Whether the rows so far end where the block does, and not beyond. */
  get ended(): boolean {
    return this.#at === this.#end;
  }

  #varint(): number {
    const first = this.#rows[this.#at++]!;
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.#rows[this.#at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value >>> 0;
  }

  #delta(): number {
    const value = this.#at < this.#rows.length ? this.#varint() : 0;
    return (value >>> 1) ^ -(value & 1);
  }
}
