/**
 * Arrays that decoding one profile needs and that nobody sees afterwards, used again for the next one: a
 * quarter of a megabyte for each profile, a thousand times a second, made the collector mark the whole heap
 * several times a second. Decoding is synchronous and not entered twice, so one set per thread does.
 */
import { AddedPoints } from '../../block/tables/added-points.ts';
import { GrowableU32 } from '../../block/tables/growable.ts';

/** Words that are kept: what profiles of 100,000 functions and locations need. Larger ones get arrays of their own. */
const KEPT_WORDS = 1 << 21;
const FIRST_WORDS = 1 << 15;

class Scratch {
  #words = new Uint32Array(FIRST_WORDS);
  #used = 0;
  #growables: GrowableU32[] = [];
  #taken = 0;
  #points = new AddedPoints();

  /** What was given out before is given out again. */
  begin(): void {
    this.#used = 0;
    this.#taken = 0;
    this.#growables = this.#growables.filter(({ capacity }) => capacity <= KEPT_WORDS / 8);
    for (const growable of this.#growables) growable.clear();
  }

  /** An array with `value` in every place; its contents are the caller's until the next `begin`. */
  u32(length: number, value = 0): Uint32Array {
    const end = this.#used + length;
    if (end > KEPT_WORDS) return new Uint32Array(length).fill(value);
    // Views of the smaller one stay what they are.
    if (end > this.#words.length) this.#words = new Uint32Array(Math.min(KEPT_WORDS, 2 * end));
    const out = this.#words.subarray(this.#used, end);
    this.#used = end;
    return out.fill(value);
  }

  /** Empty; the caller's until the next call. */
  points(): AddedPoints {
    if (this.#points.capacity > KEPT_WORDS / 8) this.#points = new AddedPoints();
    this.#points.clear();
    return this.#points;
  }

  growable(): GrowableU32 {
    return (this.#growables[this.#taken++] ??= new GrowableU32());
  }
}

export const scratch = new Scratch();
