/** A row is in force at an address (from the table's base) until the next one: see row-reader.ts, its mirror. */
export interface Row {
  readonly address: number;
  /** Innermost inlined call, index plus 1; 0: none. */
  readonly call: number;
  /** Index of the file plus 1; 0: unknown. */
  readonly file: number;
  readonly line: number;
}

/**
 * Looking an address up reads half a block: 16 rows; a block costs 8 bytes. native/row-encoder.h writes the same.
 */
export const ROWS_PER_BLOCK = 32;
/** Two bits of a distance's 32 are flags. */
const MAX_DISTANCE = 2 ** 30;

/** Writes rows in the order of their addresses. */
export class RowWriter {
  rowCount = 0;
  #starts: number[] = [];
  #offsets: number[] = [];
  #bytes = new Uint8Array(4096);
  #length = 0;
  #inBlock = 0;
  #last: Row = NOTHING;

  /** Rows that hold up to `end`, where nothing is known of what follows. */
  add(rows: Iterable<Row>, end: number): void {
    this.#inBlock = 0;
    for (const row of rows) {
      const last = this.#last;
      const same = row.call === last.call && row.file === last.file && row.line === last.line;
      if (this.#inBlock > 0 && same) continue;
      if (this.#inBlock === ROWS_PER_BLOCK || row.address - last.address >= MAX_DISTANCE) this.#inBlock = 0;
      this.#put(row);
    }
    const { call, file, line, address } = this.#last;
    const says = call !== 0 || file !== 0 || line !== 0;
    // In the same block, because the next one may begin at this address.
    if (this.#inBlock > 0 && says && end - address < MAX_DISTANCE) this.#put({ ...NOTHING, address: end });
  }

  blocks(): {
    readonly blockStarts: Uint32Array;
    readonly blockOffsets: Uint32Array;
    readonly rows: Uint8Array;
  } {
    return {
      blockStarts: Uint32Array.from(this.#starts),
      blockOffsets: Uint32Array.from([...this.#offsets, this.#length]),
      rows: this.#bytes.slice(0, this.#length),
    };
  }

  #put(row: Row): void {
    if (this.#inBlock === 0) {
      this.#starts.push(row.address);
      this.#offsets.push(this.#length);
      this.#last = { ...NOTHING, address: row.address };
    }
    // Four varints of 5 bytes.
    if (this.#length + 20 > this.#bytes.length) {
      const wider = new Uint8Array(this.#bytes.length * 2);
      wider.set(this.#bytes);
      this.#bytes = wider;
    }
    const last = this.#last;
    const flags = (row.file === last.file ? 0 : 2) | (row.call === last.call ? 0 : 1);
    this.#varint((((row.address - last.address) << 2) | flags) >>> 0);
    if ((flags & 1) !== 0) this.#delta(row.call - last.call);
    if ((flags & 2) !== 0) this.#delta(row.file - last.file);
    this.#delta(row.line - last.line);
    this.#last = row;
    this.#inBlock++;
    this.rowCount++;
  }

  #delta(difference: number): void {
    const signed = difference | 0;
    this.#varint(((signed << 1) ^ (signed >> 31)) >>> 0);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }
}

const NOTHING: Row = { address: 0, call: 0, file: 0, line: 0 };
