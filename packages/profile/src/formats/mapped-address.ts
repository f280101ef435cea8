import type { MappingKind } from '../block/block.ts';

/**
 * Sampled addresses of position-independent code differ from process to process. What stays the same
 * is where the code lies in its file, and that is what a block keeps:
 *
 *   memory   start ───────── address ── limit          address 0x55d000001234
 *   file     offset ──────── place                     place   0x1234 = address - start + offset
 *
 * The place is a file offset. ELF addresses, which symbols are found by, differ from it by what the
 * program headers say, often nothing; only who has the binary can tell. So such a mapping gets a kind
 * of its own, and the lookup of symbols converts (SymbolTable.addressOfOffset).
 *
 *   - Where the file's beginning is mapped too, its place in memory is the load bias, and address minus
 *     bias is the ELF address: a binary made for address 0 begins there.
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
export function loadBias({ start, offset }: MemoryRange): number {
  const bias = start - offset;
  return bias < FIXED_BELOW || start >= EXACT ? 0 : bias;
}

export function isInRange(address: number, { start, limit }: MemoryRange): boolean {
  return address >= start && (limit === 0 || address < limit);
}

/** Code in files moves as a whole; kernel and JIT addresses stay as sampled. */
export function movesAsFile(kind: MappingKind): boolean {
  return kind === 'native' || kind === 'vdso';
}
