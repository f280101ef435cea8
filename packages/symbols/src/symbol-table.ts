/**
 * The functions of one binary by address: sorted ranges in typed arrays, found by binary search. Ranges do not
 * overlap; a function may own several (where a smaller one lies inside of it).
 */
export interface SymbolColumns {
  /** ELF virtual address from which `starts` count. */
  readonly base: number;
  /** Ascending. */
  readonly starts: Uint32Array;
  readonly lengths: Uint32Array;
  /** Of each range: index of its function. */
  readonly functions: Uint32Array;
  /** Byte offsets into `strings`, one more than there are functions: name i is [nameOffsets[i], nameOffsets[i+1]). */
  readonly nameOffsets: Uint32Array;
  /** As `nameOffsets`; empty where the name in the binary is the same as the name shown. */
  readonly systemNameOffsets: Uint32Array;
  /** Of each function: index of its file plus 1, 0 where unknown. */
  readonly files: Uint32Array;
  /** Of each function: its first line, 0 where unknown. */
  readonly lines: Uint32Array;
  readonly fileOffsets: Uint32Array;
  /** UTF-8. */
  readonly strings: Uint8Array;
}

/** Index of a function of a SymbolTable. */
export type FunctionIndex = number;

export class SymbolTable {
  readonly columns: SymbolColumns;
  /** Memory held, in bytes. */
  readonly sizeBytes: number;
  readonly #strings: Buffer;

  constructor(columns: SymbolColumns) {
    this.columns = columns;
    const { buffer, byteOffset, byteLength } = columns.strings;
    this.#strings = Buffer.from(buffer, byteOffset, byteLength);
    this.sizeBytes =
      columns.starts.byteLength * 3 +
      columns.nameOffsets.byteLength * 2 +
      columns.files.byteLength * 2 +
      columns.fileOffsets.byteLength +
      byteLength;
  }

  /** Number of functions. */
  get size(): number {
    return this.columns.files.length;
  }

  /** The function at an ELF virtual address, or -1. */
  lookup(address: number): FunctionIndex {
    const { base, starts, lengths, functions } = this.columns;
    const distance = address - base;
    if (!(distance >= 0 && distance < 0x1_0000_0000)) return -1;
    // As an integer, so that the search compares no floating-point numbers.
    const wanted = distance >>> 0;
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= wanted) low = middle + 1;
      else high = middle;
    }
    // low is the number of ranges that start at or before the address.
    if (low === 0) return -1;
    return wanted - starts[low - 1]! < lengths[low - 1]! ? functions[low - 1]! : -1;
  }

  /** For people: demangled. */
  name(index: FunctionIndex): string {
    return this.#text(this.columns.nameOffsets, index);
  }

  /** As the binary has it: mangled. */
  systemName(index: FunctionIndex): string {
    return this.#text(this.columns.systemNameOffsets, index) || this.name(index);
  }

  /** Source file, or '' where unknown. */
  file(index: FunctionIndex): string {
    const file = this.columns.files[index] ?? 0;
    return file === 0 ? '' : this.#text(this.columns.fileOffsets, file - 1);
  }

  /** First line of the function, or 0 where unknown. */
  line(index: FunctionIndex): number {
    return this.columns.lines[index] ?? 0;
  }

  #text(offsets: Uint32Array, index: number): string {
    return this.#strings.toString('utf8', offsets[index] ?? 0, offsets[index + 1] ?? 0);
  }
}
