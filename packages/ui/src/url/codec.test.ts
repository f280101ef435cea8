import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeView, encodeView } from './codec.ts';
import { DEFAULT_VIEW, LAYOUTS, SORT_COLUMNS, type ViewState } from './view-state.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const list = fc.array(text, { maxLength: 5 });
const range: fc.Arbitrary<ViewState['range']> = fc.oneof(
  fc.record({ kind: fc.constant('last' as const), lastMs: fc.integer({ min: 1000, max: 1e12 }) }),
  fc
    .tuple(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 1, max: 1e12 }))
    .map(([fromMs, length]) => ({ kind: 'absolute' as const, fromMs, toMs: fromMs + length })),
);
const anyView: fc.Arbitrary<ViewState> = fc.record({
  range,
  selector: text,
  profileType: text,
  groupBy: list,
  chartBy: text,
  layout: fc.constantFrom(...LAYOUTS),
  direction: fc.constantFrom('icicle' as const, 'flame' as const),
  focus: list,
  selected: text,
  search: text,
  sort: fc.record({ column: fc.constantFrom(...SORT_COLUMNS), descending: fc.boolean() }),
});

describe('the address', () => {
  test('every view comes back from its address', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        expect(decodeView(encodeView(view))).toEqual({ view, problems: [] });
      }),
    );
  });

  test('every view comes back from a real URL', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const url = new URL(encodeView(view), 'http://127.0.0.1:7171/');
        expect(decodeView(url.search + url.hash).view).toEqual(view);
      }),
    );
  });

  test('the default view is the bare version', () => {
    expect(encodeView(DEFAULT_VIEW)).toBe('?v=1');
    expect(decodeView('')).toEqual({ view: DEFAULT_VIEW, problems: [] });
  });

  test('it can be read by people', () => {
    const view: ViewState = {
      ...DEFAULT_VIEW,
      range: { kind: 'last', lastMs: 3_600_000 },
      search: 'parse',
      focus: ['api', 'main'],
    };
    expect(encodeView(view)).toBe('?v=1&t=-1h..now&q=parse#focus=api~main');
  });

  test.each([
    ['?v=1&t=yesterday', '“t”'],
    ['?v=1&t=-0s..now', '“t”'],
    ['?v=1&view=pie', '“view”'],
    ['?v=1&sort=self', '“sort”'],
    ['?v=9', 'version 9'],
    ['?v=1#focus=%E0%A4%A', 'focus'],
  ])('%s takes the default and says so', (address, named) => {
    const { view, problems } = decodeView(address);
    expect(view).toEqual(DEFAULT_VIEW);
    expect(problems.join()).toContain(named);
  });
});
