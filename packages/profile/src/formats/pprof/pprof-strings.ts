/**
 * The string table of a profile, by where its strings lie in the file. A continuous profiler sends the same
 * names again and again: they are looked up by their bytes, and text is made, and checked, for new ones only.
 */
import type { BlockBuilder } from '../../block/block-builder.ts';
import type { StringIndex } from '../../block/block.ts';
import { shortened } from '../import-changes.ts';
import type { ImportChanges } from '../import-changes.ts';
import { decodeUtf8, escapeNonUtf8 } from '../lenient-utf8.ts';
import { scratch } from './scratch.ts';

export class PprofStrings {
  readonly #bytes: Uint8Array;
  readonly #stringBytes: number;
  readonly #changes: ImportChanges;
  readonly #starts = scratch.growable();
  readonly #ends = scratch.growable();
  /** The builder's string + 1; 0: not asked for yet. */
  #rows: Uint32Array = new Uint32Array(0);
  readonly #texts = new Map<number, string>();

  /** `stringBytes`: of longer strings the end is left out. */
  constructor(bytes: Uint8Array, stringBytes: number, changes: ImportChanges) {
    this.#bytes = bytes;
    this.#stringBytes = stringBytes;
    this.#changes = changes;
  }

  get length(): number {
    return this.#starts.length;
  }

  push(start: number, end: number): void {
    this.#starts.push(start);
    this.#ends.push(end);
  }

  /** Index 0 means "none" wherever it stands, whatever the file has there. */
  at(index: number): string {
    if (index === 0 || index >= this.length) return '';
    let text = this.#texts.get(index);
    if (text === undefined) this.#texts.set(index, (text = this.#decode(index)));
    return text;
  }

  /** The text that is in the file under index 0. */
  first(): string {
    return this.length === 0 ? '' : this.#decode(0);
  }

  /** The string in the builder. */
  intern(builder: BlockBuilder, index: number): StringIndex {
    if (index === 0 || index >= this.length) return 0;
    if (this.#rows.length === 0) this.#rows = scratch.u32(this.length);
    const known = this.#rows[index]!;
    if (known !== 0) return known - 1;
    const start = this.#starts.at(index);
    const end = this.#ends.at(index);
    // What was interned before is UTF-8, so equal bytes are.
    let row = end - start > this.#stringBytes ? -1 : builder.findString(this.#bytes, start, end);
    if (row < 0) row = builder.string(this.at(index));
    this.#rows[index] = row + 1;
    return row;
  }

  /** Notes what would have been changed of strings that nothing names. */
  checkUnused(): void {
    for (let index = 1; index < this.length; index++) {
      if (this.#rows[index] !== 0 && this.#rows.length > 0) continue;
      const start = this.#starts.at(index);
      const end = this.#ends.at(index);
      if (end - start > this.#stringBytes || !isAscii(this.#bytes, start, end)) this.at(index);
    }
  }

  #decode(index: number): string {
    const start = this.#starts.at(index);
    const end = this.#ends.at(index);
    const bytes = this.#bytes.subarray(start, end);
    const cut = bytes.length > this.#stringBytes;
    const kept = cut ? bytes.subarray(0, wholeSequences(bytes, this.#stringBytes)) : bytes;
    let text = decodeUtf8(kept);
    if (text === undefined) {
      text = escapeNonUtf8(kept);
      this.#changes.note('text_not_utf8', text);
    }
    if (!cut) return text;
    this.#changes.note('text_cut', text);
    return shortened(`${text}…`, this.#stringBytes);
  }
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at]! >= 0x80) return false;
  return true;
}

/** At most so many bytes, without half a UTF-8 sequence at the end. */
function wholeSequences(bytes: Uint8Array, most: number): number {
  let end = most;
  while (end > most - 3 && end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return end;
}
