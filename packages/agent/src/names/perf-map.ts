/**
 * The names of one process's JIT code, from the lines "START SIZE NAME" (hexadecimal) that runtimes append
 * to /tmp/perf-PID.map. A line overrides all earlier ones that it overlaps: runtimes move and reuse code,
 * and the file only grows (tens of megabytes an hour for a busy V8).
 */
import { CodeRanges } from './code-ranges.ts';

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

export class PerfMap {
  /** Lines that were not of the format. */
  badLines = 0;
  readonly #ranges = new CodeRanges(MAX_PERF_MAP_ENTRIES, (entry) => this.#drop(entry));
  /** By entry: where its name is among the names. Length 0: the entry is free. */
  #nameAt = new Uint32Array(0);
  #nameLength = new Uint16Array(0);
  #entries = 0;
  readonly #free: number[] = [];
  /** Names one after another, also those of entries that are gone, until these are more than half of it. */
  #names = Buffer.alloc(0);
  #namesLength = 0;
  #liveNames = 0;
  /** The beginning of a line whose end was not there yet. */
  #rest: Buffer = Buffer.alloc(0);

  get length(): number {
    return this.#ranges.length;
  }

  /** Entries turned away by MAX_PERF_MAP_ENTRIES. */
  get overLimit(): number {
    return this.#ranges.overLimit;
  }

  /** Takes the next bytes of the file, cut anywhere. They count after the next merge(). All of them are wanted: 0. */
  append(bytes: Buffer): number {
    const text = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (;;) {
      const end = text.indexOf(NEWLINE, at);
      if (end < 0) break;
      this.#line(text, at, end);
      at = end + 1;
    }
    this.#rest = Buffer.from(text.subarray(at, at + MAX_LINE_BYTES));
    return 0;
  }

  /** Makes what was appended count; true when something was. */
  merge(): boolean {
    if (!this.#ranges.merge()) return false;
    if (this.#liveNames * 2 < this.#namesLength) this.#compactNames();
    return true;
  }

  /** Name of the code at the address, undefined when no entry covers it. */
  find(address: number): string | undefined {
    const entry = this.#ranges.find(address);
    if (entry < 0) return undefined;
    const at = this.#nameAt[entry]!;
    return this.#names.toString('utf8', at, at + this.#nameLength[entry]!);
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
    // Stubs may have size 0; they are at one address at least.
    this.#ranges.add(start, start + Math.max(1, size), this.#keepName(text, nameAt, to));
  }

  #keepName(text: Buffer, from: number, to: number): number {
    const entry = this.#free.pop() ?? this.#entries++;
    if (entry >= this.#nameAt.length) this.#growEntries();
    const size = Math.min(to - from, MAX_NAME_BYTES);
    this.#reserveName(size);
    text.copy(this.#names, this.#namesLength, from, from + size);
    this.#nameAt[entry] = this.#namesLength;
    this.#nameLength[entry] = size;
    this.#namesLength += size;
    this.#liveNames += size;
    return entry;
  }

  #drop(entry: number): void {
    this.#liveNames -= this.#nameLength[entry]!;
    this.#nameLength[entry] = 0;
    this.#free.push(entry);
  }

  #growEntries(): void {
    const capacity = Math.max(64, this.#nameAt.length * 2);
    const nameAt = new Uint32Array(capacity);
    const nameLength = new Uint16Array(capacity);
    nameAt.set(this.#nameAt);
    nameLength.set(this.#nameLength);
    this.#nameAt = nameAt;
    this.#nameLength = nameLength;
  }

  #reserveName(size: number): void {
    if (this.#namesLength + size <= this.#names.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#names.length * 2, this.#namesLength + size, 4096));
    this.#names.copy(grown, 0, 0, this.#namesLength);
    this.#names = grown;
  }

  #compactNames(): void {
    const names = Buffer.allocUnsafeSlow(this.#liveNames);
    let at = 0;
    for (let entry = 0; entry < this.#entries; entry++) {
      const size = this.#nameLength[entry]!;
      const from = this.#nameAt[entry]!;
      this.#names.copy(names, at, from, from + size);
      this.#nameAt[entry] = at;
      at += size;
    }
    this.#names = names;
    this.#namesLength = at;
  }
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
