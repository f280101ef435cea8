/**
 * Gives every distinct tuple of two to four u32 numbers a dense row number, in order of first
 * appearance. Open addressing with linear probing; slots hold row + 1, so that 0 is free. The rows
 * themselves are the table that is being built: nothing is copied at the end.
 * Blocks of one service list the frames of a stack in the same order, so the row after the last
 * answer is looked at first: most rows of a merge are found without hash and cache miss.
 *
 * The hash starts from a random seed, so input cannot be prepared that makes all tuples collide.
 */
import { giveBack } from '../give-back.ts';
import { finishHash, mixHash, randomSeed } from './hash.ts';

const FIRST_SLOTS = 256;

export class TupleInterner {
  readonly width: 2 | 3 | 4;
  readonly #seed = randomSeed();
  #slots = new Uint32Array(FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  #rows: Uint32Array;
  #length = 0;
  /** Where the row after the last one is, if rows come in an order that was seen before. */
  #next = 0;

  constructor(width: 2 | 3 | 4) {
    this.width = width;
    this.#rows = new Uint32Array((FIRST_SLOTS / 2) * width);
  }

  get length(): number {
    return this.#length;
  }

  /** Of a row that is likely to be asked for next: it is looked at first. */
  expect(row: number): void {
    this.#next = row;
  }

  intern(a: number, b: number, c = 0, d = 0): number {
    const { width } = this;
    const rows = this.#rows;
    const guess = this.#next;
    if (guess < this.#length && this.#equals(guess * width, a, b, c, d)) {
      this.#next = guess + 1;
      return guess;
    }
    const slots = this.#slots;
    let slot = this.#hash(a, b, c, d) & this.#mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      if (this.#equals((entry - 1) * width, a, b, c, d)) {
        this.#next = entry;
        return entry - 1;
      }
      slot = (slot + 1) & this.#mask;
    }
    const row = this.#length++;
    this.#next = row + 1;
    const at = row * width;
    rows[at] = a;
    rows[at + 1] = b;
    if (width > 2) rows[at + 2] = c;
    if (width > 3) rows[at + 3] = d;
    slots[slot] = row + 1;
    // Half full at most: probes stay short.
    if (this.#length * 2 >= slots.length) this.#grow();
    return row;
  }

  /** Forgets all rows, and keeps its memory. */
  clear(): void {
    this.#slots.fill(0);
    this.#length = 0;
    this.#next = 0;
  }

  at(row: number, column: number): number {
    return this.#rows[row * this.width + column]!;
  }

  /** The rows one after another; a view that the next intern may leave behind. */
  rows(): Uint32Array {
    return this.#rows.subarray(0, this.#length * this.width);
  }

  /** Gives its memory back: it is not used again. */
  release(): void {
    for (const array of [this.#slots, this.#rows]) giveBack(array);
  }

  get memoryBytes(): number {
    return this.#slots.byteLength + this.#rows.byteLength;
  }

  /** Copies one column out, one entry per row. */
  column(column: number): Uint32Array {
    const out = new Uint32Array(this.#length);
    const { width } = this;
    for (let row = 0, at = column; row < out.length; row++, at += width) out[row] = this.#rows[at]!;
    return out;
  }

  #equals(at: number, a: number, b: number, c: number, d: number): boolean {
    const { width } = this;
    const rows = this.#rows;
    return (
      rows[at] === a &&
      rows[at + 1] === b &&
      (width < 3 || rows[at + 2] === c) &&
      (width < 4 || rows[at + 3] === d)
    );
  }

  #hash(a: number, b: number, c: number, d: number): number {
    let hash = mixHash(mixHash(this.#seed, a), b);
    if (this.width > 2) hash = mixHash(hash, c);
    if (this.width > 3) hash = mixHash(hash, d);
    return finishHash(hash);
  }

  #grow(): void {
    const { width } = this;
    const size = this.#slots.length * 2;
    const slots = new Uint32Array(size);
    const rows = new Uint32Array((size / 2) * width);
    rows.set(this.#rows.subarray(0, this.#length * width));
    this.#slots = slots;
    this.#rows = rows;
    this.#mask = size - 1;
    for (let row = 0, at = 0; row < this.#length; row++, at += width) {
      let slot = this.#hash(rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!) & this.#mask;
      while (slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      slots[slot] = row + 1;
    }
  }
}
