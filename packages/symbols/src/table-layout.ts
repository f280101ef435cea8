/**
 * The stored form of a SymbolTable, described in docs/symbols-format.md: what its writer and its reader share.
 */
export const MAGIC = 'FFSYMTAB';
export const VERSION = 1;
export const HEADER_BYTES = 40;
/** Bounds of what is read, so that a damaged header cannot make the reader allocate without end. */
export const TABLE_LIMITS = {
  ranges: 32_000_000,
  functions: 16_000_000,
  files: 4_000_000,
  stringBytes: 1024 * 1024 * 1024,
} as const;

export interface Counts {
  readonly ranges: number;
  readonly functions: number;
  readonly files: number;
  readonly stringBytes: number;
}

export function payloadBytes(counts: Counts): number {
  const words = counts.ranges * 3 + (counts.functions + 1) * 2 + counts.functions * 2 + counts.files + 1;
  return words * 4 + counts.stringBytes;
}
