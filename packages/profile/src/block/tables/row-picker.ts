import { GrowableU32 } from './growable.ts';

/** Gives the rows of a table that are asked for new, dense numbers, in the order of the first question. */
export class RowPicker {
  /** Number + 1 per row; 0: not asked for yet. */
  readonly #map: Uint32Array;
  readonly #order = new GrowableU32();

  constructor(rows: number) {
    this.#map = new Uint32Array(rows);
  }

  pick(row: number): number {
    const known = this.#map[row]!;
    if (known !== 0) return known - 1;
    this.#order.push(row);
    this.#map[row] = this.#order.length;
    return this.#order.length - 1;
  }

  get length(): number {
    return this.#order.length;
  }

  /** The old row of each new one; a view that the next pick may leave behind. */
  order(): Uint32Array {
    return this.#order.view();
  }
}
