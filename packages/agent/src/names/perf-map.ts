/**
 * The names of one process's JIT code, from the lines "START SIZE NAME" (hexadecimal) that runtimes append
 * to /tmp/perf-PID.map. A line overrides all earlier ones that it overlaps: runtimes move and reuse code,
 * and the file only grows (tens of megabytes an hour for a busy V8). What is overridden is dropped, so
 * memory follows the code that is there. Typed arrays and one buffer of names: a file of 18 MB is read in
 * about a tenth of a second.
 */
import { lineOverlaps, overriddenWithin, sortedByStart } from './perf-map-overlaps.ts';

/** Entries kept per process; V8 has some 10,000 in a large server. Beyond it new lines are turned away. */
export const MAX_PERF_MAP_ENTRIES = 200_000;
/** Longest name kept, in bytes; Java and .NET signatures can have kilobytes. */
const MAX_NAME_BYTES = 512;
/** A line longer than this is no name. */
const MAX_LINE_BYTES = 64 * 1024;
/** A user-space address has 47 bits, with five-level paging 56: a number holds 14 digits nearly always exactly. */
const MAX_ADDRESS_DIGITS = 14;

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** Lines that have been read and not been merged yet. */
interface Lines {
  length: number;
  start: Float64Array;
  end: Float64Array;
  nameAt: Uint32Array;
  nameLength: Uint16Array;
}

export class PerfMap {
  /** Entries turned away by MAX_PERF_MAP_ENTRIES. */
  overLimit = 0;
  /** Lines that were not of the format. */
  badLines = 0;
  /** Entries, sorted by start; no two overlap. */
  #length = 0;
  #start = new Float64Array(0);
  #end = new Float64Array(0);
  #nameAt = new Uint32Array(0);
  #nameLength = new Uint16Array(0);
  /** Names one after another, also those of entries that are gone, until they are half of it. */
  #names = Buffer.alloc(0);
  #namesLength = 0;
  readonly #lines: Lines = newLines(0);
  /** The beginning of a line whose end was not there yet. */
  #rest: Buffer = Buffer.alloc(0);

  get length(): number {
    return this.#length;
  }

  /** Takes the next bytes of the file, cut anywhere. They count after the next merge(). */
  append(bytes: Buffer): void {
    const text = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (;;) {
      const end = text.indexOf(NEWLINE, at);
      if (end < 0) break;
      this.#line(text, at, end);
      at = end + 1;
    }
    this.#rest = Buffer.from(text.subarray(at, at + MAX_LINE_BYTES));
  }

  /** Makes what was appended count; true when something was. */
  merge(): boolean {
    const lines = this.#lines;
    if (lines.length === 0) return false;
    const order = sortedByStart(lines.start, lines.length);
    const dead = overriddenWithin(lines, order);
    const old = lineOverlaps(lines, order);
    const size = this.#length + lines.length;
    const start = new Float64Array(size);
    const end = new Float64Array(size);
    const nameAt = new Uint32Array(size);
    const nameLength = new Uint16Array(size);
    let length = 0;
    const put = (from: Lines, i: number): void => {
      start[length] = from.start[i]!;
      end[length] = from.end[i]!;
      nameAt[length] = from.nameAt[i]!;
      nameLength[length] = from.nameLength[i]!;
      length++;
    };
    const kept: Lines = {
      length: this.#length,
      start: this.#start,
      end: this.#end,
      nameAt: this.#nameAt,
      nameLength: this.#nameLength,
    };
    let next = 0;
    for (let i = 0; i <= this.#length; i++) {
      const before = i < this.#length ? this.#start[i]! : Infinity;
      for (; next < lines.length && lines.start[order[next]!]! < before; next++) {
        if (dead[order[next]!] === 0) put(lines, order[next]!);
      }
      if (i < this.#length && !old(this.#start[i]!, this.#end[i]!)) put(kept, i);
    }
    if (length > MAX_PERF_MAP_ENTRIES) {
      this.overLimit += length - MAX_PERF_MAP_ENTRIES;
      length = MAX_PERF_MAP_ENTRIES;
    }
    this.#length = length;
    this.#start = start.slice(0, length);
    this.#end = end.slice(0, length);
    this.#nameAt = nameAt.slice(0, length);
    this.#nameLength = nameLength.slice(0, length);
    Object.assign(this.#lines, newLines(0));
    this.#compactNames();
    return true;
  }

  /** Name of the code at the address, undefined when no entry covers it. */
  find(address: number): string | undefined {
    const start = this.#start;
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (start[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    const index = low - 1;
    if (index < 0 || address >= this.#end[index]!) return undefined;
    const at = this.#nameAt[index]!;
    return this.#names.toString('utf8', at, at + this.#nameLength[index]!);
  }

  #line(text: Buffer, from: number, to: number): void {
    const first = hexEnd(text, from, to);
    const second = first < 0 || text[first] !== SPACE ? -1 : hexEnd(text, first + 1, to);
    const nameAt = second + 1;
    if (second < 0 || text[second] !== SPACE || nameAt >= to) {
      if (to > from) this.badLines++;
      return;
    }
    const start = hexValue(text, from, first);
    const size = hexValue(text, first + 1, second);
    if (start < 0 || size < 0) {
      this.badLines++;
      return;
    }
    const lines = this.#lines;
    if (lines.length === lines.start.length) grow(lines);
    const i = lines.length++;
    lines.start[i] = start;
    // Stubs may have size 0; they are at one address at least.
    lines.end[i] = start + Math.max(1, size);
    const nameLength = Math.min(to - nameAt, MAX_NAME_BYTES);
    this.#reserveName(nameLength);
    text.copy(this.#names, this.#namesLength, nameAt, nameAt + nameLength);
    lines.nameAt[i] = this.#namesLength;
    lines.nameLength[i] = nameLength;
    this.#namesLength += nameLength;
  }

  #reserveName(size: number): void {
    if (this.#namesLength + size <= this.#names.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#names.length * 2, this.#namesLength + size, 4096));
    this.#names.copy(grown, 0, 0, this.#namesLength);
    this.#names = grown;
  }

  #compactNames(): void {
    let live = 0;
    for (let i = 0; i < this.#length; i++) live += this.#nameLength[i]!;
    if (live * 2 >= this.#namesLength) return;
    const names = Buffer.allocUnsafeSlow(live);
    for (let i = 0, at = 0; i < this.#length; i++) {
      const from = this.#nameAt[i]!;
      const size = this.#nameLength[i]!;
      this.#names.copy(names, at, from, from + size);
      this.#nameAt[i] = at;
      at += size;
    }
    this.#names = names;
    this.#namesLength = live;
  }
}

function newLines(capacity: number): Lines {
  return {
    length: 0,
    start: new Float64Array(capacity),
    end: new Float64Array(capacity),
    nameAt: new Uint32Array(capacity),
    nameLength: new Uint16Array(capacity),
  };
}

function grow(lines: Lines): void {
  const grown = newLines(Math.max(64, lines.length * 2));
  grown.start.set(lines.start);
  grown.end.set(lines.end);
  grown.nameAt.set(lines.nameAt);
  grown.nameLength.set(lines.nameLength);
  grown.length = lines.length;
  Object.assign(lines, grown);
}

/** Where a hexadecimal number ends, -1 when there is none. */
function hexEnd(text: Buffer, from: number, to: number): number {
  let at = skipPrefix(text, from, to);
  const first = at;
  while (at < to && hexDigit(text[at]!) >= 0) at++;
  return at > first ? at : -1;
}

/** -1 when it is too large for an address. */
function hexValue(text: Buffer, from: number, to: number): number {
  let value = 0;
  let digits = 0;
  for (let at = skipPrefix(text, from, to); at < to; at++) {
    const digit = hexDigit(text[at]!);
    value = value * 16 + digit;
    if (value > 0) digits++;
  }
  return digits > MAX_ADDRESS_DIGITS ? -1 : value;
}

function skipPrefix(text: Buffer, from: number, to: number): number {
  return to - from > 2 && text[from] === 0x30 && (text[from + 1]! | 0x20) === 0x78 ? from + 2 : from;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
