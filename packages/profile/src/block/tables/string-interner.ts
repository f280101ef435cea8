/**
 * Gives every distinct string a dense row number, by its UTF-8 bytes: no JavaScript string is made to look
 * one up. The bytes lie one after another in one arena, which is what Arrow wants written.
 *
 * Open addressing as in `RowInterner`; the row after the last answer is looked at first, since tables of
 * one program list their names in an order that was seen before. The hash takes four bytes a step from a
 * random seed, so that input cannot be prepared that makes all names collide.
 */
import { decodeUtf8, StringTable, type StringBytes } from '../string-table.ts';
import { giveBack } from '../give-back.ts';
import { finishHash, mixHash, randomSeed } from './hash.ts';

const FIRST_SLOTS = 256;
const FIRST_BYTES = 4096;

const encoder = new TextEncoder();

export class StringInterner implements StringBytes {
  readonly #seed = randomSeed();
  #slots = new Uint32Array(FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  #hashes = new Uint32Array(FIRST_SLOTS / 2);
  #starts = new Uint32Array(FIRST_SLOTS / 2 + 1);
  #bytes = new Uint8Array(FIRST_BYTES);
  #words: DataView = new DataView(this.#bytes.buffer);
  /** What was looked up last, as words. */
  #from: Uint8Array = this.#bytes;
  #fromWords: DataView = this.#words;
  #length = 0;
  #next = 0;
  #slot = 0;
  #scratch = new Uint8Array(256);

  /** String 0 is "". */
  constructor() {
    this.intern(this.#bytes, 0, 0);
  }

  get length(): number {
    return this.#length;
  }

  /** What the strings take, in bytes. */
  get arenaBytes(): number {
    return this.#starts[this.#length]!;
  }

  /** Gives its memory back: it is not used again. */
  release(): void {
    for (const array of [this.#slots, this.#hashes, this.#starts, this.#bytes]) giveBack(array);
  }

  get memoryBytes(): number {
    return (
      this.#slots.byteLength + this.#hashes.byteLength + this.#starts.byteLength + this.#bytes.byteLength
    );
  }

  /** The arena; it moves when it grows. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get starts(): Uint32Array {
    return this.#starts;
  }

  text(text: string): number {
    const end = this.#encode(text);
    return this.intern(this.#scratch, 0, end);
  }

  /** The row of a text; -1: it has none. */
  find(text: string): number {
    const end = this.#encode(text);
    return this.findBytes(this.#scratch, 0, end);
  }

  /** Of a string that is likely to be asked for next: it is looked at first. */
  expect(index: number): void {
    this.#next = index;
  }

  /** The row of the bytes from `start` to `end`, whatever they are; -1: there is none. */
  findBytes(from: Uint8Array, start: number, end: number): number {
    const guess = this.#next;
    if (guess < this.#length && this.#equals(guess, from, start, end)) {
      this.#next = guess + 1;
      return guess;
    }
    return this.#find(this.#hash(from, start, end), from, start, end);
  }

  /** The bytes from `start` to `end`, which are valid UTF-8. */
  intern(from: Uint8Array, start: number, end: number): number {
    const guess = this.#next;
    if (guess < this.#length && this.#equals(guess, from, start, end)) {
      this.#next = guess + 1;
      return guess;
    }
    const hash = this.#hash(from, start, end);
    const known = this.#find(hash, from, start, end);
    if (known >= 0) return known;
    const index = this.#length++;
    this.#next = index + 1;
    this.#slots[this.#slot] = index + 1;
    this.#hashes[index] = hash;
    this.#append(index, from, start, end);
    if (this.#length * 2 >= this.#slots.length) this.#grow();
    return index;
  }

  at(index: number): string {
    return decodeUtf8(this.#bytes, this.#starts[index]!, this.#starts[index + 1]!);
  }

  /** The strings so far, in an array of their own. */
  table(): StringTable {
    return new StringTable(this.#bytes.slice(0, this.arenaBytes), this.#starts.slice(0, this.#length + 1));
  }

  /** The row, -1: there is none; then `#slot` is where it would be. */
  #find(hash: number, from: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
    let slot = hash & this.#mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      if (this.#hashes[entry - 1] === hash && this.#equals(entry - 1, from, start, end)) {
        this.#next = entry;
        return entry - 1;
      }
      slot = (slot + 1) & this.#mask;
    }
    this.#slot = slot;
    return -1;
  }

  /** Into the scratch; gives the number of bytes. Half a surrogate pair becomes U+FFFD. */
  #encode(text: string): number {
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    if (text.length * 3 > this.#scratch.length) this.#scratch = new Uint8Array(text.length * 3);
    return encoder.encodeInto(text, this.#scratch).written;
  }

  #hash(from: Uint8Array, start: number, end: number): number {
    let hash = mixHash(this.#seed, end - start);
    if (end - start < 4) {
      let word = 0;
      for (let at = start; at < end; at++) word = (word << 8) | from[at]!;
      return finishHash(mixHash(hash, word));
    }
    const words = this.#wordsOf(from);
    const last = end - 4;
    for (let at = start; at < last; at += 4) hash = mixHash(hash, words.getInt32(at, true));
    // The last four bytes, of which some may have been taken before.
    return finishHash(mixHash(hash, words.getInt32(last, true)));
  }

  #equals(index: number, from: Uint8Array, start: number, end: number): boolean {
    const own = this.#starts[index]!;
    const size = end - start;
    if (this.#starts[index + 1]! - own !== size) return false;
    if (size < 4) {
      const bytes = this.#bytes;
      for (let i = 0; i < size; i++) if (bytes[own + i] !== from[start + i]) return false;
      return true;
    }
    const words = this.#words;
    const fromWords = this.#wordsOf(from);
    // Names of one program begin alike: the end tells them apart first.
    for (let i = size - 4; i > 0; i -= 4) {
      if (words.getInt32(own + i, true) !== fromWords.getInt32(start + i, true)) return false;
    }
    return words.getInt32(own, true) === fromWords.getInt32(start, true);
  }

  /** Views of it that live as long as it is asked for: four bytes are read at a time, wherever they lie. */
  #wordsOf(from: Uint8Array): DataView {
    if (from !== this.#from) {
      this.#from = from;
      this.#fromWords = new DataView(from.buffer, from.byteOffset, from.byteLength);
    }
    return this.#fromWords;
  }

  #append(index: number, from: Uint8Array, start: number, end: number): void {
    const own = this.#starts[index]!;
    const size = end - start;
    if (own + size > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(own + size, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
      this.#words = new DataView(bytes.buffer);
    }
    if (size > 0) this.#bytes.set(from.subarray(start, end), own);
    this.#starts[index + 1] = own + size;
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
