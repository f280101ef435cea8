import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveRanges } from './resolve-ranges.ts';
import { SymbolList } from './symbol-list.ts';

interface Given {
  readonly name: string;
  readonly start: number;
  /** 0: without size. */
  readonly size: number;
  readonly rank?: number;
}

const BOUND = 1000;

function listOf(symbols: readonly Given[]): SymbolList {
  const list = new SymbolList();
  const nameTable = list.addNames(Buffer.from(symbols.map(({ name }) => `${name}\0`).join('')));
  let nameOffset = 0;
  for (const { name, start, size, rank } of symbols) {
    const end = size === 0 ? 0 : Math.min(start + size, BOUND);
    list.add({ start, end, bound: BOUND, rank: rank ?? (size > 0 ? 64 : 0), nameTable, nameOffset });
    nameOffset += name.length + 1;
  }
  return list;
}

/** "start-end name" of each range. */
function rangesOf(symbols: readonly Given[]): string[] {
  const list = listOf(symbols);
  const { length, starts, ends, symbols: indices } = resolveRanges(list);
  return Array.from({ length }, (_, at) => `${starts[at]}-${ends[at]} ${list.name(indices[at] ?? 0)}`);
}

describe('resolveRanges', () => {
  it('leaves gaps between functions without a name', () => {
    expect(
      rangesOf([
        { name: 'b', start: 50, size: 10 },
        { name: 'a', start: 10, size: 10 },
      ]),
    ).toEqual(['10-20 a', '50-60 b']);
  });

  it('gives an inner function its addresses and the rest to the outer one', () => {
    expect(
      rangesOf([
        { name: 'outer', start: 10, size: 90 },
        { name: 'inner', start: 30, size: 20 },
      ]),
    ).toEqual(['10-30 outer', '30-50 inner', '50-100 outer']);
  });

  it('cuts a function that runs into the next one', () => {
    expect(
      rangesOf([
        { name: 'a', start: 10, size: 30 },
        { name: 'b', start: 30, size: 30 },
      ]),
    ).toEqual(['10-30 a', '30-60 b']);
  });

  it('extends a symbol without size to the next symbol, the last one to the end of its section', () => {
    expect(
      rangesOf([
        { name: 'label', start: 10, size: 0 },
        { name: 'f', start: 40, size: 10 },
        { name: 'tail', start: 60, size: 0 },
      ]),
    ).toEqual(['10-40 label', '40-50 f', '60-1000 tail']);
  });

  it('ignores labels inside of functions', () => {
    expect(
      rangesOf([
        { name: 'f', start: 10, size: 50 },
        { name: 'loop', start: 20, size: 0 },
      ]),
    ).toEqual(['10-60 f']);
  });

  it.each([
    [
      'the higher rank',
      [
        { name: 'weak', rank: 68 },
        { name: 'global', rank: 72 },
      ],
      'global',
    ],
    ['fewer underscores', [{ name: '__libc_malloc' }, { name: 'malloc' }, { name: '__malloc' }], 'malloc'],
    ['no suffix', [{ name: 'f.localalias' }, { name: 'f_longer_name_here' }], 'f_longer_name_here'],
    ['the shorter name', [{ name: 'abcd' }, { name: 'xyz' }], 'xyz'],
    ['byte order', [{ name: '_ZC2' }, { name: '_ZC1' }], '_ZC1'],
  ])('shows of several names for one address: %s', (_rule, names, chosen) => {
    const symbols = names.map((one) => ({ ...one, start: 10, size: 10 }));
    expect(rangesOf(symbols)).toEqual([`10-20 ${chosen}`]);
    expect(rangesOf(symbols.toReversed())).toEqual([`10-20 ${chosen}`]);
  });

  it('finds for every address the innermost function with a size, or else the last label (property)', () => {
    const symbol = fc.record({
      start: fc.integer({ min: 0, max: 200 }),
      size: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 80 })),
    });
    expect(() =>
      fc.assert(fc.property(fc.array(symbol, { maxLength: 12 }), holds), { numRuns: 300 }),
    ).not.toThrow();
  });
});

function holds(given: readonly { readonly start: number; readonly size: number }[]): boolean {
  const symbols = given.map((one, index) => ({ ...one, name: `s${index}` }));
  const list = listOf(symbols);
  const { length, starts, ends, symbols: indices } = resolveRanges(list);
  for (let address = 0; address < 300; address++) {
    const range = Array.from({ length }, (_, at) => at).filter(
      (at) => starts[at]! <= address && address < ends[at]!,
    );
    if (range.length > 1) return false;
    const found = range.length === 0 ? undefined : symbols[indices[range[0] ?? 0] ?? 0]?.start;
    // Of one address the alias chosen hides the others, shorter and longer: the longest has the highest rank here.
    const best = new Map<number, number>();
    for (const { start, size } of symbols) best.set(start, Math.max(best.get(start) ?? 0, size));
    const covering = [...best].filter(
      ([start, size]) => size > 0 && start <= address && address < start + size,
    );
    const before = [...best].filter(([start]) => start <= address).toSorted((a, b) => b[0] - a[0])[0];
    const expected =
      covering.length > 0
        ? Math.max(...covering.map(([start]) => start))
        : before !== undefined && before[1] === 0 && !isInside(best, before[0])
          ? before[0]
          : undefined;
    if (found !== expected) return false;
  }
  return true;
}

function isInside(best: ReadonlyMap<number, number>, address: number): boolean {
  return [...best].some(([start, size]) => start < address && address < start + size);
}
