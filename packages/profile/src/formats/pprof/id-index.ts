import { scratch } from './scratch.ts';

const NONE = -1;

/**
 * From the ids of a table to its rows. Ids are any non-zero uint64, but all writers known count from
 * 1: small ones are looked up in an array, the others in a map.
 */
export class IdIndex {
  /** Row + 1; 0: none. */
  readonly #dense: Uint32Array;
  readonly #sparse = new Map<bigint, number>();

  constructor(rows: number) {
    this.#dense = scratch.u32(rows * 2 + 2);
  }

  /** The row of the id (halves of a uint64), or -1. */
  row(low: number, high: number): number {
    if (high === 0 && low < this.#dense.length) return this.#dense[low]! - 1;
    return this.#sparse.get(wide(low, high)) ?? NONE;
  }

  /** Gives the row that has the id already, or -1 and takes it. */
  claim(low: number, high: number, row: number): number {
    const taken = this.row(low, high);
    if (taken !== NONE) return taken;
    if (high === 0 && low < this.#dense.length) this.#dense[low] = row + 1;
    else this.#sparse.set(wide(low, high), row);
    return NONE;
  }
}

function wide(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}
