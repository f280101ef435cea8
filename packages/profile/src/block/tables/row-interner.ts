/**
 * Gives every distinct row of u32 numbers of any length a dense row number, in order of first
 * appearance. Like `TupleInterner`, with the rows one after another in one array:
 *
 *   starts  0      3          8
 *   data    a b c  d e f g h  ...
 */
import { giveBack } from '../give-back.ts';
import { finishHash, mixHash, randomSeed } from './hash.ts';

const FIRST_SLOTS = 256;
const FIRST_DATA = 1024;

export class RowInterner {
  readonly #seed = randomSeed();
  #slots = new Uint32Array(FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  /** One per row, so that growing the table does not read the rows again. */
  #hashes = new Uint32Array(FIRST_SLOTS / 2);
  #starts = new Uint32Array(FIRST_SLOTS / 2 + 1);
  #data = new Uint32Array(FIRST_DATA);
  #length = 0;
  /** As in `TupleInterner`: looked at first. */
  #next = 0;

  get length(): number {
    return this.#length;
  }

  /** Of a row that is likely to be asked for next: it is looked at first. */
  expect(row: number): void {
    this.#next = row;
  }

  /** Interns the first `size` numbers of `row`. */
  intern(row: Uint32Array, size: number): number {
    const guess = this.#next;
    if (guess < this.#length && this.#equals(guess, row, size)) {
      this.#next = guess + 1;
      return guess;
    }
    const slots = this.#slots;
    let hash = mixHash(this.#seed, size);
    for (let i = 0; i < size; i++) hash = mixHash(hash, row[i]!);
    hash = finishHash(hash);
    let slot = hash & this.#mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      if (this.#hashes[entry - 1] === hash && this.#equals(entry - 1, row, size)) {
        this.#next = entry;
        return entry - 1;
      }
      slot = (slot + 1) & this.#mask;
    }
    const index = this.#length++;
    this.#next = index + 1;
    slots[slot] = index + 1;
    this.#hashes[index] = hash;
    this.#append(index, row, size);
    if (this.#length * 2 >= slots.length) this.#grow();
    return index;
  }

  start(row: number): number {
    return this.#starts[row]!;
  }

  end(row: number): number {
    return this.#starts[row + 1]!;
  }

  /** One number of a row. */
  at(row: number, column: number): number {
    return this.#data[this.#starts[row]! + column]!;
  }

  /** All rows one after another; a view that the next intern may leave behind. */
  data(): Uint32Array {
    return this.#data.subarray(0, this.#starts[this.#length]);
  }

  /** Where each row begins in data(), and the last one's end: a view as data(). */
  starts(): Uint32Array {
    return this.#starts.subarray(0, this.#length + 1);
  }

  /** Gives its memory back: it is not used again. */
  release(): void {
    for (const array of [this.#slots, this.#hashes, this.#starts, this.#data]) giveBack(array);
  }

  get memoryBytes(): number {
    return this.#slots.byteLength + this.#hashes.byteLength + this.#starts.byteLength + this.#data.byteLength;
  }

  #equals(index: number, row: Uint32Array, size: number): boolean {
    const start = this.#starts[index]!;
    if (this.#starts[index + 1]! - start !== size) return false;
    for (let i = 0; i < size; i++) if (this.#data[start + i] !== row[i]) return false;
    return true;
  }

  #append(index: number, row: Uint32Array, size: number): void {
    const start = this.#starts[index]!;
    if (start + size > this.#data.length) {
      const data = new Uint32Array(Math.max(start + size, this.#data.length * 2));
      data.set(this.#data);
      this.#data = data;
    }
    for (let i = 0; i < size; i++) this.#data[start + i] = row[i]!;
    this.#starts[index + 1] = start + size;
  }

  #grow(): void {
    const size = this.#slots.length * 2;
    const slots = new Uint32Array(size);
    const hashes = new Uint32Array(size / 2);
    const starts = new Uint32Array(size / 2 + 1);
    hashes.set(this.#hashes);
    starts.set(this.#starts);
    this.#slots = slots;
    this.#hashes = hashes;
    this.#starts = starts;
    this.#mask = size - 1;
    for (let row = 0; row < this.#length; row++) {
      let slot = hashes[row]! & this.#mask;
      while (slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      slots[slot] = row + 1;
    }
  }
}
