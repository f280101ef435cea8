/** Symbols as found in a binary, before overlaps are resolved: one column per property, names as bytes. */
export class SymbolList {
  length = 0;
  starts = new Float64Array(1024);
  /** 0 where the binary gives no size. */
  ends = new Float64Array(1024);
  /** Where the memory that the symbol lies in ends: no symbol reaches beyond. */
  bounds = new Float64Array(1024);
  /** Among symbols of one address the highest is shown. */
  ranks = new Uint8Array(1024);
  /** Which of `tables` holds the name, and where in it. */
  nameTables = new Uint8Array(1024);
  nameOffsets = new Uint32Array(1024);
  /** Index plus 1 into `files`; 0 where unknown. */
  fileIndices = new Uint32Array(1024);
  lines = new Uint32Array(1024);
  readonly tables: Buffer[] = [];
  readonly files: string[] = [];
  /** Tables whose names are the ones for people. */
  readonly shownTables = new Set<number>();
  /** Symbols that took file and line from another symbol of the same address. */
  readonly detailsFrom = new Map<number, number>();

  /** Zero-ended names. */
  addNames(bytes: Uint8Array): number {
    return this.tables.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) - 1;
  }

  add(symbol: {
    readonly start: number;
    readonly end: number;
    readonly bound: number;
    readonly rank: number;
    readonly nameTable: number;
    readonly nameOffset: number;
    readonly file?: number;
    readonly line?: number;
  }): void {
    if (this.length === this.starts.length) this.#grow();
    const at = this.length++;
    this.starts[at] = symbol.start;
    this.ends[at] = symbol.end;
    this.bounds[at] = symbol.bound;
    this.ranks[at] = symbol.rank;
    this.nameTables[at] = symbol.nameTable;
    this.nameOffsets[at] = symbol.nameOffset;
    this.fileIndices[at] = symbol.file ?? 0;
    this.lines[at] = symbol.line ?? 0;
  }

  /** The name's bytes, at most MAX_NAME_BYTES of them. */
  nameBytes(index: number): Buffer {
    const table = this.tables[this.nameTables[index] ?? 0];
    return zeroEnded(table ?? Buffer.alloc(0), this.nameOffsets[index] ?? 0);
  }

  /** The symbol whose name is shown to people for this one, where that is another one. */
  shownAs(index: number): number | undefined {
    const other = this.detailsFrom.get(index);
    return other !== undefined && this.shownTables.has(this.nameTables[other] ?? 0) ? other : undefined;
  }

  name(index: number): string {
    return this.nameBytes(index).toString('utf8');
  }

  #grow(): void {
    const capacity = this.starts.length * 2;
    this.starts = grown(new Float64Array(capacity), this.starts);
    this.ends = grown(new Float64Array(capacity), this.ends);
    this.bounds = grown(new Float64Array(capacity), this.bounds);
    this.ranks = grown(new Uint8Array(capacity), this.ranks);
    this.nameTables = grown(new Uint8Array(capacity), this.nameTables);
    this.nameOffsets = grown(new Uint32Array(capacity), this.nameOffsets);
    this.fileIndices = grown(new Uint32Array(capacity), this.fileIndices);
    this.lines = grown(new Uint32Array(capacity), this.lines);
  }
}

function grown<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from);
  return to;
}

/** Template-heavy C++ has names of 10 kB; what is longer is cut. */
export const MAX_NAME_BYTES = 65_536;

export function zeroEnded(table: Buffer, offset: number): Buffer {
  const window = table.subarray(offset, offset + MAX_NAME_BYTES);
  const end = window.indexOf(0);
  return end < 0 ? window : window.subarray(0, end);
}
