import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSelector } from './format-selector.ts';
import { MATCHER_OPS } from './matcher.ts';
import { parseSelector } from './parse-selector.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const special = fc.string({
  unit: fc.constantFrom('"', "'", '`', '\\', '\n', '\u0000', '#', '}', 'é', 'x'),
  maxLength: 8,
});
const matcher = fc
  .record({
    name: fc
      .oneof(fc.constantFrom('service_name', 'host_name', 'a'), text, special)
      .filter((name) => name !== ''),
    op: fc.constantFrom(...MATCHER_OPS),
    value: fc.oneof(text, special),
  })
  .map((it) => (it.op.includes('~') ? { ...it, value: it.value.replaceAll(/[\\^$.[\](){}?*+]/g, '.') } : it));

function key(it: { readonly name: string; readonly op: string; readonly value: string }): string {
  return JSON.stringify([it.name, it.op, it.value]);
}

describe('formatSelector', () => {
  test.each([
    ['', '{}'],
    ['{ }', '{}'],
    ["{ b = 'x' , a=~`y\\d` , }", '{a=~"y\\\\d",b="x"}'],
    ['{zone="z",service_name!="s"}', '{service_name!="s",zone="z"}'],
    ['{a="x",a!="y",a="x"}', '{a!="y",a="x"}'],
    ['{"a"="x","b.c"="\\x01\t"}', '{a="x","b.c"="\\x01\\t"}'],
  ])('%j is %s', (source, canonical) => {
    expect(formatSelector(parseSelector(source))).toBe(canonical);
  });

  test('what it writes is read back as the same conditions', () => {
    fc.assert(
      fc.property(fc.array(matcher, { maxLength: 6 }), (matchers) => {
        const canonical = formatSelector({ matchers });
        const read = parseSelector(canonical);
        expect(formatSelector(read)).toBe(canonical);
        expect(new Set(read.matchers.map(key))).toEqual(new Set(matchers.map(key)));
      }),
    );
  });

  test('the order of the matchers does not change it', () => {
    fc.assert(
      fc.property(fc.array(matcher, { maxLength: 6 }), (matchers) => {
        expect(formatSelector({ matchers: matchers.toReversed() })).toBe(formatSelector({ matchers }));
      }),
    );
  });
});
