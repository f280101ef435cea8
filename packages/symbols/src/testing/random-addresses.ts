import type { SymbolTable } from '../symbol-table.ts';

/** Addresses in the functions of a table, each byte of code as likely as any other; equal for equal seeds. */
export function randomAddresses(table: SymbolTable, count: number, seed: number): number[] {
  const { base, starts, lengths } = table.columns;
  const ends = new Float64Array(lengths.length);
  let total = 0;
  for (let range = 0; range < lengths.length; range++) {
    total += lengths[range] ?? 0;
    ends[range] = total;
  }
  let state = seed >>> 0;
  const next = (): number => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Array.from({ length: count }, () => {
    const at = Math.floor(next() * total);
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ends[middle] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return base + (starts[low] ?? 0) + (at - (low === 0 ? 0 : (ends[low - 1] ?? 0)));
  });
}
