import type { MappingKind } from '../block/block.ts';

/**
 * Sampled addresses of position-independent code differ from process to process. What stays the same
 * is where the code lies in its file, and that is what a block keeps:
 *
 *   memory   start ───────── address ── limit          address 0x55d000001234
 *   file     offset ──────── place                     place   0x1234 = address - start + offset
 *
 * The place is a file offset. ELF addresses, which symbols are found by, are the same in most of what GNU ld and
 * gold link; lld and mold put code at other addresses than offsets, which only the program headers tell.
 *
 *   - Where the file's beginning is mapped too, its place in memory is the load bias, and address minus
 *     bias is the ELF address of any linker: a binary made for address 0 begins there. A mapping whose own offset is 0 need
 *     not be it: lld maps the first page again, with the code.
 *   - Else the offset is kept and marked as one (`native_offset`): who has the binary's headers makes an address of it.
 *   - A program that is linked at a fixed address is mapped there: its addresses are ELF addresses
 *     already. Such programs lie low (0x400000; 0x8048000 in 32 bits), others are put above 4 GiB.
 *   - An address outside of its mapping was normalised by who wrote it, and stays.
 */
const FIXED_BELOW = 0x1000_0000;

/** Addresses beyond are the kernel's, and not exact as numbers. */
const EXACT = 2 ** 53;

export interface MemoryRange {
  readonly start: number;
  /** 0: not known. */
  readonly limit: number;
  readonly offset: number;
}

/** What is subtracted from addresses in the range; 0: nothing. */
function loadBias({ start, offset }: MemoryRange): number {
  const bias = start - offset;
  return bias < FIXED_BELOW || start >= EXACT ? 0 : bias;
}

export interface CountedFrom {
  /** What is subtracted from addresses in the range; 0: nothing. */
  readonly bias: number;
  /** What is left is an offset in the file; else an ELF address. */
  readonly isOffset: boolean;
}

/** `beginning`: the place in memory of the file's first byte; one that lies behind is of another copy of the file. */
export function countedFrom(range: MemoryRange, beginning: number | undefined): CountedFrom {
  const bias = loadBias(range);
  if (bias === 0) return { bias, isOffset: false };
  if (beginning !== undefined && beginning < range.start) return { bias: beginning, isOffset: false };
  return { bias, isOffset: true };
}

export function isInRange(address: number, { start, limit }: MemoryRange): boolean {
  return address >= start && (limit === 0 || address < limit);
}

/** Code in files moves as a whole; kernel and JIT addresses stay as sampled. */
export function movesAsFile(kind: MappingKind): boolean {
  return kind === 'native' || kind === 'vdso';
}
