/**
 * The names of one process's JIT code, from the lines "START SIZE NAME" (hexadecimal) that runtimes append
 * to /tmp/perf-PID.map. Later lines override earlier ones where they overlap: runtimes move and reuse code,
 * and the file only grows. What is overridden is dropped, so memory follows the code that is there.
 */

/** Entries kept per process; V8 has some 10,000 in a large server. Beyond it new lines are turned away. */
export const MAX_PERF_MAP_ENTRIES = 200_000;
/** Longest name kept, in bytes; Java and .NET signatures can have kilobytes. */
const MAX_NAME_BYTES = 512;
/** A user-space address has 47 bits, with five-level paging 56: a number holds it. */
const MAX_ADDRESS_DIGITS = 14;

interface Entry {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

export class PerfMap {
  /** Entries turned away by MAX_PERF_MAP_ENTRIES. */
  overLimit = 0;
  /** Lines that were not of the format. */
  badLines = 0;
  /** Sorted by start; no two overlap. */
  #start = new Float64Array(0);
  #end = new Float64Array(0);
  #names: string[] = [];
  /** The beginning of a line whose end was not there yet. */
  #rest = '';

  get length(): number {
    return this.#names.length;
  }

  /** Takes the next bytes of the file, cut anywhere. True when something changed. */
  append(text: string): boolean {
    const lines = (this.#rest + text).split('\n');
    // A line that never ends is no name: keep what could still become a valid one.
    this.#rest = (lines.pop() ?? '').slice(0, 64 * 1024);
    const fresh: Entry[] = [];
    for (const line of lines) {
      const entry = parseLine(line);
      if (entry !== undefined) fresh.push(entry);
      else if (line !== '') this.badLines++;
    }
    if (fresh.length === 0) return false;
    this.#merge(settle(fresh));
    return true;
  }

  /** Name of the code at the address, undefined when no entry covers it. */
  find(address: number): string | undefined {
    const start = this.#start;
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (start[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low > 0 && address < this.#end[low - 1]! ? this.#names[low - 1] : undefined;
  }

  /** Adds what survived of the new lines; drops what any of them overlaps. */
  #merge({ live, cover }: Settled): void {
    const names: string[] = [];
    const start = new Float64Array(this.length + live.length);
    const end = new Float64Array(this.length + live.length);
    const put = (from: number, to: number, name: string): void => {
      start[names.length] = from;
      end[names.length] = to;
      names.push(name);
    };
    let next = 0;
    let over = 0;
    for (let i = 0; i < this.length; i++) {
      const oldStart = this.#start[i]!;
      const oldEnd = this.#end[i]!;
      for (let entry = live[next]; entry !== undefined && entry.start < oldStart; entry = live[++next]) {
        put(entry.start, entry.end, entry.name);
      }
      while (over < cover.length && cover[over]!.end <= oldStart) over++;
      const above = cover[over];
      if (above === undefined || above.start >= oldEnd) put(oldStart, oldEnd, this.#names[i] ?? '');
    }
    for (let entry = live[next]; entry !== undefined; entry = live[++next]) {
      put(entry.start, entry.end, entry.name);
    }
    if (names.length > MAX_PERF_MAP_ENTRIES) {
      this.overLimit += names.length - MAX_PERF_MAP_ENTRIES;
      names.length = MAX_PERF_MAP_ENTRIES;
    }
    this.#names = names;
    this.#start = start.slice(0, names.length);
    this.#end = end.slice(0, names.length);
  }
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** What a run of lines comes to: the entries that no later one overlaps, and all that any of them covered. */
interface Settled {
  /** Sorted by start, without overlap. */
  readonly live: readonly Entry[];
  /** Sorted by start, without overlap. */
  readonly cover: readonly Span[];
}

function settle(entries: readonly Entry[]): Settled {
  const sorted = entries.toSorted((a, b) => a.start - b.start);
  const overlaps = sorted.some((entry, i) => i > 0 && (sorted[i - 1]?.end ?? 0) > entry.start);
  return overlaps ? settleRun(entries, 0, entries.length) : { live: sorted, cover: sorted };
}

/** By halves: of the first half survives what the second does not cover. n log n. */
function settleRun(entries: readonly Entry[], from: number, to: number): Settled {
  if (to - from <= 1) {
    const live = entries.slice(from, to);
    return { live, cover: live };
  }
  const middle = (from + to) >>> 1;
  const first = settleRun(entries, from, middle);
  const second = settleRun(entries, middle, to);
  let over = 0;
  const survivors = first.live.filter((entry) => {
    while (over < second.cover.length && second.cover[over]!.end <= entry.start) over++;
    return (second.cover[over]?.start ?? Infinity) >= entry.end;
  });
  const live = mergeSorted(survivors, second.live);
  const cover: { start: number; end: number }[] = [];
  for (const span of mergeSorted(first.cover, second.cover)) {
    const last = cover.at(-1);
    if (last === undefined || span.start > last.end) cover.push({ start: span.start, end: span.end });
    else last.end = Math.max(last.end, span.end);
  }
  return { live, cover };
}

function mergeSorted<T extends Span>(a: readonly T[], b: readonly T[]): T[] {
  const merged: T[] = [];
  let i = 0;
  for (const item of b) {
    while (i < a.length && a[i]!.start <= item.start) merged.push(a[i++]!);
    merged.push(item);
  }
  while (i < a.length) merged.push(a[i++]!);
  return merged;
}

function parseLine(line: string): Entry | undefined {
  const first = line.indexOf(' ');
  const second = line.indexOf(' ', first + 1);
  if (first <= 0 || second < 0 || second === line.length - 1) return undefined;
  const start = parseHex(line.slice(0, first));
  const size = parseHex(line.slice(first + 1, second));
  if (start < 0 || size < 0) return undefined;
  // Copied out of the text: a slice would keep all of it in memory.
  const name = Buffer.from(line.slice(second + 1, second + 1 + MAX_NAME_BYTES)).toString('utf8');
  // Stubs may have size 0; they are at one address at least.
  return { start, end: start + Math.max(1, size), name };
}

function parseHex(text: string): number {
  const digits = text.startsWith('0x') || text.startsWith('0X') ? text.slice(2) : text;
  if (digits.length === 0 || digits.length > 16 || !/^[0-9a-fA-F]+$/.test(digits)) return -1;
  const trimmed = digits.replace(/^0+(?=.)/, '');
  return trimmed.length > MAX_ADDRESS_DIGITS ? -1 : Number.parseInt(trimmed, 16);
}
