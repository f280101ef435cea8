/**
 * The stored form of a SymbolTable, described in docs/symbols-format.md: what its writer and its reader share.
 */
export const MAGIC = 'FFSYMTAB';
/** What is written. Version 1, which knows no lines, is still read. */
export const VERSION = 2;
/** Of a version: bytes in front of the columns. */
export const HEADER_BYTES: Readonly<Record<number, number>> = { 1: 40, 2: 56 };
/** Bounds of what is read, so that a damaged header cannot make the reader allocate without end. */
export const TABLE_LIMITS = {
  ranges: 32_000_000,
  functions: 32_000_000,
  files: 4_000_000,
  stringBytes: 1024 * 1024 * 1024,
  calls: 32_000_000,
  blocks: 32_000_000,
  rowBytes: 512 * 1024 * 1024,
} as const;

export interface Counts {
  readonly ranges: number;
  readonly functions: number;
  readonly files: number;
  readonly stringBytes: number;
  /** The following are 0 in version 1. */
  readonly calls: number;
  readonly blocks: number;
  readonly rowBytes: number;
}

export function payloadBytes(counts: Counts, version: number): number {
  const functionWords = (counts.functions + 1) * 2 + counts.functions * 2;
  const sourceWords = version === 1 ? 0 : counts.calls * 4 + counts.blocks * 2 + 1;
  const words = counts.ranges * 3 + functionWords + counts.files + 1 + sourceWords;
  return words * 4 + counts.rowBytes + counts.stringBytes;
}
