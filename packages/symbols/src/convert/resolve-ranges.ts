/**
 * From symbols, which overlap and repeat, to ranges, which do not.
 *
 * ```
 *   symbols   outer   ├───────────────────────────┤
 *             inner            ├──────┤
 *             label                         ┊          ┊ after    (no size)
 *   ranges    outer   ├────────┤
 *             inner            ├──────┤
 *             outer                   ├───────────┤
 *             after                                   ├──…  to the next symbol or the end of its section
 * ```
 * Of several names for one address one is shown, so that a function is not split among its aliases: the highest
 * rank (elf-symbols.ts), then the fewest leading underscores (`malloc` over `__libc_malloc`), then no dot suffix
 * (`f` over `f.localalias`), then the shortest, then the first in byte order. The choice depends on nothing but the
 * names, so it is the same on every host and after every rebuild of the table.
 */
import type { SymbolList } from './symbol-list.ts';

export interface Ranges {
  readonly length: number;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** Index in the symbol list. */
  readonly symbols: Uint32Array;
}

export function resolveRanges(list: SymbolList): Ranges {
  const order = sortByAddress(list);
  const shown = chooseAliases(list, order);
  giveEnds(list, shown);
  return sweep(list, shown);
}

/** By start, then best first. */
function sortByAddress(list: SymbolList): Uint32Array {
  const { starts, ranks, ends } = list;
  return Uint32Array.from({ length: list.length }, (_, index) => index).sort(
    (a, b) =>
      starts[a]! - starts[b]! || ranks[b]! - ranks[a]! || ends[b]! - ends[a]! || compareNames(list, a, b),
  );
}

function compareNames(list: SymbolList, a: number, b: number): number {
  const left = list.nameBytes(a);
  const right = list.nameBytes(b);
  return (
    leadingUnderscores(left) - leadingUnderscores(right) ||
    Number(left.includes(DOT)) - Number(right.includes(DOT)) ||
    left.length - right.length ||
    Buffer.compare(left, right)
  );
}

const UNDERSCORE = 0x5f;
const DOT = 0x2e;

function leadingUnderscores(name: Buffer): number {
  let count = 0;
  // _Z and _R begin every mangled name.
  while (name[count] === UNDERSCORE) count++;
  return count;
}

/** One symbol per address. Names of aliases are dropped, and so is what a longer alias covers beyond the chosen one. */
function chooseAliases(list: SymbolList, order: Uint32Array): Uint32Array {
  let count = 0;
  for (let at = 0; at < order.length; at++) {
    const index = order[at]!;
    const chosen = count > 0 ? order[count - 1]! : -1;
    if (chosen >= 0 && list.starts[chosen] === list.starts[index]) {
      // Go's table and DWARF have files and lines. Go's also has the names that Go's own tools show: .symtab adds
      // ABI and shapes to them.
      if (list.fileIndices[chosen] === 0 && list.fileIndices[index] !== 0) {
        list.fileIndices[chosen] = list.fileIndices[index]!;
        list.lines[chosen] = list.lines[index]!;
        list.detailsFrom.set(chosen, index);
      }
      continue;
    }
    order[count++] = index;
  }
  return order.subarray(0, count);
}

/** A symbol without size reaches to the next symbol, or to the end of its section. */
function giveEnds(list: SymbolList, order: Uint32Array): void {
  let covered = 0;
  for (let at = 0; at < order.length; at++) {
    const index = order[at]!;
    const start = list.starts[index]!;
    if (list.ends[index] === 0) {
      const next = order[at + 1];
      const bound = list.bounds[index]!;
      // Inside of a function with a size it is a label, not a function.
      if (start < covered) list.ends[index] = start;
      else list.ends[index] = next === undefined ? bound : Math.min(list.starts[next]!, bound);
    } else {
      covered = Math.max(covered, list.ends[index]!);
    }
  }
}

/** Walks the addresses with a stack of the symbols that are open; the innermost owns each address. */
function sweep(list: SymbolList, order: Uint32Array): Ranges {
  const capacity = order.length * 2;
  const starts = new Float64Array(capacity);
  const ends = new Float64Array(capacity);
  const symbols = new Uint32Array(capacity);
  const open: number[] = [];
  let length = 0;
  let position = 0;
  const emitUpTo = (limit: number): void => {
    while (position < limit) {
      const top = open.at(-1);
      if (top === undefined) break;
      const end = Math.min(list.ends[top]!, limit);
      if (end > position) {
        starts[length] = position;
        ends[length] = end;
        symbols[length] = top;
        length++;
        position = end;
      }
      if (list.ends[top]! <= position) open.pop();
    }
    position = limit;
  };
  for (const index of order) {
    if (list.ends[index]! <= list.starts[index]!) continue;
    emitUpTo(list.starts[index]!);
    open.push(index);
  }
  emitUpTo(Number.MAX_SAFE_INTEGER);
  return { length, starts, ends, symbols };
}
