/**
 * Which code is at an address, for runtimes that only say what they write: a range overrides all earlier ones
 * that it overlaps. What is overridden is dropped, so memory follows the code that is there.
 *
 * Ranges lie in a few sorted tables, each at least twice as large as the next, so that a handful of new ones
 * does not cost a copy of everything:
 *
 *   tables   ████████████████ ███████ ██ ▏ ◀── new ranges: a table of their own; what they override in the
 *                                              others is marked; small tables are joined
 */
import { overriddenWithin, sortedByStart } from './range-overlaps.ts';

/** Ranges [start, end), each with a number of its owner's. A range that is empty has been overridden. */
interface Table {
  length: number;
  start: Float64Array;
  end: Float64Array;
  tag: Uint32Array;
}

/** Is told of every range that goes: overridden, or turned away by the limit. */
export type OnGone = (tag: number, start: number, end: number) => void;

export class CodeRanges {
  /** Ranges turned away by the limit. */
  overLimit = 0;
  readonly #maxRanges: number;
  readonly #onGone: OnGone;
  /** Oldest and largest first; within one, sorted by start and without overlap. */
  readonly #tables: Table[] = [];
  #live = 0;
  /** Added and not merged yet, in order. */
  #added = newTable(0);

  constructor(maxRanges: number, onGone: OnGone) {
    this.#maxRanges = maxRanges;
    this.#onGone = onGone;
  }

  get length(): number {
    return this.#live;
  }

  /** Counts after the next merge(). `end` is above `start`. */
  add(start: number, end: number, tag: number): void {
    const added = this.#added;
    if (added.length === added.start.length) grow(added);
    const i = added.length++;
    added.start[i] = start;
    added.end[i] = end;
    added.tag[i] = tag;
  }

  /** Makes what was added count; true when something was. */
  merge(): boolean {
    const added = this.#added;
    if (added.length === 0) return false;
    this.#added = newTable(0);
    for (const table of this.#tables) this.#override(table, added);
    const order = sortedByStart(added.start, added.length);
    const dead = overriddenWithin(added, order);
    const fresh = newTable(added.length);
    for (let p = 0; p < added.length; p++) {
      const i = order[p]!;
      const isOver = dead[i] === 0 && this.#live >= this.#maxRanges;
      if (isOver) this.overLimit++;
      if (isOver || dead[i] === 1) {
        this.#onGone(added.tag[i]!, added.start[i]!, added.end[i]!);
        continue;
      }
      put(fresh, added, i);
      this.#live++;
    }
    this.#tables.push(fresh);
    this.#join();
    return true;
  }

  /** Tag of the range that covers the address, -1 when there is none. */
  find(address: number): number {
    for (const table of this.#tables) {
      const i = lastBelow(table, address + 1);
      if (i >= 0 && address < table.end[i]!) return table.tag[i]!;
    }
    return -1;
  }

  /** Marks the ranges of a table that any of the new ones overlaps. */
  #override(table: Table, added: Table): void {
    for (let k = 0; k < added.length; k++) {
      const from = added.start[k]!;
      for (let i = lastBelow(table, added.end[k]!); i >= 0; i--) {
        const start = table.start[i]!;
        const end = table.end[i]!;
        if (end <= from && start <= from) break;
        if (end === start) continue;
        table.end[i] = start;
        this.#live--;
        this.#onGone(table.tag[i]!, start, end);
      }
    }
  }

  /** Joins the last tables until each has at least twice the ranges of the next. */
  #join(): void {
    for (;;) {
      const last = this.#tables.at(-1);
      const previous = this.#tables.at(-2);
      if (last === undefined || previous === undefined || previous.length >= 2 * last.length) return;
      this.#tables.splice(-2, 2, joined(previous, last));
    }
  }
}

function newTable(capacity: number): Table {
  return {
    length: 0,
    start: new Float64Array(capacity),
    end: new Float64Array(capacity),
    tag: new Uint32Array(capacity),
  };
}

function put(table: Table, from: Table, i: number): void {
  const at = table.length++;
  table.start[at] = from.start[i]!;
  table.end[at] = from.end[i]!;
  table.tag[at] = from.tag[i]!;
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

/** Index of the last range that starts below the address, -1 when there is none. */
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
  grown.tag.set(table.tag);
  grown.length = table.length;
  Object.assign(table, grown);
}
