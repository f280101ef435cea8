import type { SourceColumns } from './source-columns.ts';

/** The block in which an address lies, which counts from the table's base; -1 where there is none. */
export function findBlock(source: SourceColumns, distance: number): number {
  return distance >= 0 && distance < 0x1_0000_0000 ? lastAtOrBefore(source.blockStarts, distance >>> 0) : -1;
}

/** Index of the last of the ascending numbers that is not larger, or -1. */
export function lastAtOrBefore(numbers: Uint32Array, wanted: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
