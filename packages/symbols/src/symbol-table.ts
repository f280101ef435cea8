import { findBlock, lastAtOrBefore } from './find-block.ts';
import { RowReader } from './row-reader.ts';
import type { CallIndex, SourceColumns } from './source-columns.ts';

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
  readonly source: SourceColumns;
}

/** Index of a function of a SymbolTable. */
export type FunctionIndex = number;

/** Where in the source an address is. */
export interface SourcePosition {
  /** The innermost inlined call that the address belongs to, as index plus 1; 0: none. */
  call: CallIndex;
  /** Index of the file plus 1; 0 where unknown. */
  file: number;
  /** 0 where unknown. */
  line: number;
}

export class SymbolTable {
  readonly columns: SymbolColumns;
  /** Memory held, in bytes. */
  readonly sizeBytes: number;
  readonly #strings: Buffer;
  readonly #reader = new RowReader();

  constructor(columns: SymbolColumns) {
    this.columns = columns;
    const { buffer, byteOffset, byteLength } = columns.strings;
    this.#strings = Buffer.from(buffer, byteOffset, byteLength);
    const { source } = columns;
    this.sizeBytes =
      source.callFunctions.byteLength * 4 +
      source.blockStarts.byteLength +
      source.blockOffsets.byteLength +
      source.rows.byteLength +
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
    const range = lastAtOrBefore(starts, wanted);
    if (range < 0) return -1;
    return wanted - starts[range]! < lengths[range]! ? functions[range]! : -1;
  }

  /** Line and inlined calls at an ELF virtual address; all 0 where nothing is known. */
  locate(address: number, into: SourcePosition): void {
    const { blockStarts, blockOffsets, rows } = this.columns.source;
    const distance = address - this.columns.base;
    const block = findBlock(this.columns.source, distance);
    into.call = 0;
    into.file = 0;
    into.line = 0;
    if (block < 0) return;
    const reader = this.#reader;
    reader.begin(rows, blockOffsets[block]!, blockOffsets[block + 1]!, blockStarts[block]!);
    while (reader.next() && reader.address <= distance) {
      into.call = reader.call;
      into.file = reader.file;
      into.line = reader.line;
    }
  }

  /** The function whose code was inlined by a call. */
  callFunction(call: CallIndex): FunctionIndex {
    return this.columns.source.callFunctions[call] ?? 0;
  }

  /** The call that a call happens in, as index plus 1; 0: it happens in the function that `lookup` finds. */
  callParent(call: CallIndex): CallIndex {
    return this.columns.source.callParents[call] ?? 0;
  }

  /** File of the call's line: index plus 1, 0 where unknown. */
  callFile(call: CallIndex): number {
    return this.columns.source.callFiles[call] ?? 0;
  }

  callLine(call: CallIndex): number {
    return this.columns.source.callLines[call] ?? 0;
  }

  /** Of a file's index plus 1; '' for 0. */
  fileName(file: number): string {
    return file === 0 ? '' : this.#text(this.columns.fileOffsets, file - 1);
  }

  /** Index plus 1 of the function's own file; 0 where unknown. */
  functionFile(index: FunctionIndex): number {
    return this.columns.files[index] ?? 0;
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
    return this.fileName(this.functionFile(index));
  }

  /** First line of the function, or 0 where unknown. */
  line(index: FunctionIndex): number {
    return this.columns.lines[index] ?? 0;
  }

  #text(offsets: Uint32Array, index: number): string {
    return this.#strings.toString('utf8', offsets[index] ?? 0, offsets[index + 1] ?? 0);
  }
}
