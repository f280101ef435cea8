/**
 * Source lines and inlined calls of one binary by address, byte by byte in docs/symbols-format.md. Independent of
 * the functions' ranges: rows say where in the source an address is, and through which inlined calls.
 */
export interface SourceColumns {
  /** Of each inlined call: index of the function whose code was inlined. */
  readonly callFunctions: Uint32Array;
  /** The call that it happens in, as index plus 1, less than its own; 0: in the function of the range. */
  readonly callParents: Uint32Array;
  /** Where it is called from: index of the file plus 1, 0 where unknown. */
  readonly callFiles: Uint32Array;
  readonly callLines: Uint32Array;
  /** Of each block of rows: its first address, counted from the table's base. Ascending. */
  readonly blockStarts: Uint32Array;
  /** Byte offsets into `rows`, one more than there are blocks. */
  readonly blockOffsets: Uint32Array;
  readonly rows: Uint8Array;
}

/** Index of an inlined call of a table. */
export type CallIndex = number;

export const NO_SOURCE: SourceColumns = {
  callFunctions: new Uint32Array(),
  callParents: new Uint32Array(),
  callFiles: new Uint32Array(),
  callLines: new Uint32Array(),
  blockStarts: new Uint32Array(),
  blockOffsets: new Uint32Array(1),
  rows: new Uint8Array(),
};
