/**
 * Lines of Go's function table: each function has tables of values by program counter, for its file (an index), its
 * line, and whether the code there was inlined.
 *
 * ```
 * table   (zigzag varint: change of the value, from -1) (varint: bytes of code / quantum) … 0
 * ```
 * Which function was inlined, and where it is called, stands outside of the table, in memory that no file that an
 * agent cuts down has. A line of inlined code is not one of the function that the code is found in: there the line
 * is left unknown. DWARF, where Go programs have it, tells both.
 */
import { FUNC_LAYOUT, type PclntabHeader } from '@fleetflame/elf';
import type { Row } from '../row-writer.ts';

/** PCDATA_InlTreeIndex, from Go 1.13 on. */
const INLINE_INDEX = 2;
const VALUES = { file: 4, line: 5 } as const;

export class GoLines {
  readonly #view: DataView;
  readonly #header: PclntabHeader;

  constructor(bytes: Uint8Array, header: PclntabHeader) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#header = header;
  }

  /**
   * Rows of a function of `size` bytes that begins at `start`; `fileOf` gives the number of a file by the function's
   * index of it.
   */
  *rows(record: number, start: number, size: number, fileOf: (index: number) => number): Iterable<Row> {
    const files = this.#values(this.#u32(record + this.#header.functabWidth + VALUES.file * 4));
    const lines = this.#values(this.#u32(record + this.#header.functabWidth + VALUES.line * 4));
    const inlined = this.#values(this.#pcdata(record, INLINE_INDEX));
    for (let at = 0; at < size;) {
      const [file, line, call] = [files.at(at), lines.at(at), inlined.at(at)];
      const known = file >= 0 && line > 0 && call < 0;
      yield { address: start + at, call: 0, file: known ? fileOf(file) : 0, line: known ? line : 0 };
      at = Math.min(files.end, lines.end, inlined.end);
    }
  }

  #values(table: number): PcValues {
    // 0 and what u32() gives outside: no table.
    const isTable = table > 0 && table < this.#view.byteLength;
    return new PcValues(this.#view, isTable ? this.#header.pcOffset + table : -1, this.#header.quantum);
  }

  #pcdata(record: number, index: number): number {
    const layout = FUNC_LAYOUT[this.#header.version];
    if (index >= this.#u32(record + layout.pcdata) || this.#u32(record + layout.pcdata) === OUTSIDE) return 0;
    return this.#u32(record + layout.bytes + index * 4);
  }

  #u32(at: number): number {
    return at >= 0 && at + 4 <= this.#view.byteLength ? this.#view.getUint32(at, true) : OUTSIDE;
  }
}

const OUTSIDE = 0xffff_ffff;

/** A table of values, asked in ascending order. */
class PcValues {
  /** Up to where the value last given holds; Infinity behind the end of the table, where it is -1. */
  end = 0;
  readonly #view: DataView;
  readonly #quantum: number;
  #place: number;
  #value = -1;

  constructor(view: DataView, place: number, quantum: number) {
    this.#view = view;
    this.#place = place;
    this.#quantum = quantum;
  }

  at(offset: number): number {
    while (offset >= this.end) this.#step();
    return this.#value;
  }

  #step(): void {
    const first = this.end === 0;
    const change = this.#place < 0 ? 0 : this.#varint();
    const length = change === 0 && !first ? 0 : this.#place < 0 ? 0 : this.#varint();
    if (length === 0) {
      this.#value = -1;
      this.end = Number.POSITIVE_INFINITY;
      return;
    }
    this.#value += (change & 1) === 0 ? change >>> 1 : -((change >>> 1) + 1);
    this.end += length * this.#quantum;
  }

  /** 0, which ends a table, outside of the file. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#place >= this.#view.byteLength) return 0;
      const byte = this.#view.getUint8(this.#place++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value >>> 0;
  }
}
