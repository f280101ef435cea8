/**
 * The names of one process's JIT code, from the lines "START SIZE NAME" (hexadecimal) that runtimes append
 * to /tmp/perf-PID.map. A line overrides all earlier ones that it overlaps: runtimes move and reuse code,
 * and the file only grows (tens of megabytes an hour for a busy V8). What is overridden is dropped, so
 * memory follows the code that is there.
 *
 * Entries lie in a few sorted tables, each at least twice as large as the next, so that a handful of new
 * lines does not cost a copy of everything:
 *
 *   tables   ████████████████ ███████ ██ ▏ ◀── new lines: a table of their own; what they override in the
 *                                              others is marked; small tables are joined
 */
import { overriddenWithin, sortedByStart } from './perf-map-overlaps.ts';

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

/** Code ranges [start, end) with names. A range that is empty has been overridden. */
interface Table {
  length: number;
  start: Float64Array;
  end: Float64Array;
  /** Within the buffer of names. */
  nameAt: Uint32Array;
  nameLength: Uint16Array;
}

export class PerfMap {
  /** Entries turned away by MAX_PERF_MAP_ENTRIES. */
  overLimit = 0;
  /** Lines that were not of the format. */
  badLines = 0;
  /** Oldest and largest first; within one, sorted by start and without overlap. */
  readonly #tables: Table[] = [];
  #live = 0;
  /** Names one after another, also those of entries that are gone, until these are more than half of it. */
  #names = Buffer.alloc(0);
  #namesLength = 0;
  #liveNames = 0;
  /** Lines that have been read and not been merged yet, in order. */
  #lines = newTable(0);
  /** The beginning of a line whose end was not there yet. */
  #rest: Buffer = Buffer.alloc(0);

  get length(): number {
    return this.#live;
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
    this.#lines = newTable(0);
    for (const table of this.#tables) this.#override(table, lines);
    const order = sortedByStart(lines.start, lines.length);
    const dead = overriddenWithin(lines, order);
    const fresh = newTable(lines.length);
    for (let p = 0; p < lines.length; p++) {
      const i = order[p]!;
      if (dead[i] === 1) continue;
      if (this.#live >= MAX_PERF_MAP_ENTRIES) {
        this.overLimit++;
        continue;
      }
      put(fresh, lines, i);
      this.#live++;
      this.#liveNames += lines.nameLength[i]!;
    }
    this.#tables.push(fresh);
    this.#join();
    if (this.#liveNames * 2 < this.#namesLength) this.#compactNames();
    return true;
  }

  /** Name of the code at the address, undefined when no entry covers it. */
  find(address: number): string | undefined {
    for (const table of this.#tables) {
      const i = lastBelow(table, address + 1);
      if (i < 0 || address >= table.end[i]!) continue;
      const at = table.nameAt[i]!;
      return this.#names.toString('utf8', at, at + table.nameLength[i]!);
    }
    return undefined;
  }

  /** Marks the entries of a table that any of the lines overlaps. */
  #override(table: Table, lines: Table): void {
    for (let line = 0; line < lines.length; line++) {
      const from = lines.start[line]!;
      for (let i = lastBelow(table, lines.end[line]!); i >= 0; i--) {
        const start = table.start[i]!;
        const end = table.end[i]!;
        if (end <= from && start <= from) break;
        if (end === start) continue;
        table.end[i] = start;
        this.#live--;
        this.#liveNames -= table.nameLength[i]!;
      }
    }
  }

  /** Joins the last tables until each has at least twice the entries of the next. */
  #join(): void {
    for (;;) {
      const last = this.#tables.at(-1);
      const previous = this.#tables.at(-2);
      if (last === undefined || previous === undefined || previous.length >= 2 * last.length) return;
      this.#tables.splice(-2, 2, joined(previous, last));
    }
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
    const names = Buffer.allocUnsafeSlow(this.#liveNames);
    let at = 0;
    for (const table of this.#tables) {
      for (let i = 0; i < table.length; i++) {
        if (table.end[i] === table.start[i]) continue;
        const from = table.nameAt[i]!;
        const size = table.nameLength[i]!;
        this.#names.copy(names, at, from, from + size);
        table.nameAt[i] = at;
        at += size;
      }
    }
    this.#names = names;
    this.#namesLength = at;
  }
}

function newTable(capacity: number): Table {
  return {
    length: 0,
    start: new Float64Array(capacity),
    end: new Float64Array(capacity),
    nameAt: new Uint32Array(capacity),
    nameLength: new Uint16Array(capacity),
  };
}

function put(table: Table, from: Table, i: number): void {
  const at = table.length++;
  table.start[at] = from.start[i]!;
  table.end[at] = from.end[i]!;
  table.nameAt[at] = from.nameAt[i]!;
  table.nameLength[at] = from.nameLength[i]!;
}

/** One table of two that do not overlap, without what has been overridden. */
function joined(a: Table, b: Table): Table {
  const table = newTable(a.length + b.length);
  let i = 0;
  for (let k = 0; k <= b.length; k++) {
    const before = k < b.length ? b.start[k]! : Infinity;
    for (; i < a.length && a.start[i]! < before; i++) if (a.end[i]! > a.start[i]!) put(table, a, i);
    if (k < b.length && b.end[k]! > b.start[k]!) put(table, b, k);
  }
  return table;
}

/** Index of the last entry that starts below the address, -1 when there is none. */
function lastBelow(table: Table, address: number): number {
  const { start } = table;
  let low = 0;
  let high = table.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (start[middle]! < address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function grow(table: Table): void {
  const grown = newTable(Math.max(64, table.length * 2));
  grown.start.set(table.start);
  grown.end.set(table.end);
  grown.nameAt.set(table.nameAt);
  grown.nameLength.set(table.nameLength);
  grown.length = table.length;
  Object.assign(table, grown);
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
