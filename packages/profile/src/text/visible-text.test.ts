import { scaled } from '@fleetflame/testing';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { visibleJson, visibleLines, visibleText } from './visible-text.ts';

it.each([
  ['main.(*Basket[int]).Add', 'main.(*Basket[int]).Add'],
  ['red\u001B[31m\u0007', 'red\\x1b[31m\\x07'],
  ['a\nb\tc\r\0', 'a\\x0ab\\x09c\\x0d\\x00'],
  ['\u007F\u0080\u009B2J', '\\x7f\\x80\\x9b2J'],
  ['\u202Egnp\u2066\u200E\u061C', '\\u202egnp\\u2066\\u200e\\u061c'],
  ['pay\u200Bment\u00AD\uFEFF', 'pay\\u200bment\\xad\\ufeff'],
  ['a\u2028b\u2029', 'a\\u2028b\\u2029'],
  ['\uD800x\uDC00', '\\ud800x\\udc00'],
  ['tag\u{E0041}\u{E0100}', 'tag\\u{e0041}\\u{e0100}'],
  ['\u3164\u115F\uFE0F\u034F\uFFFE', '\\u3164\\u115f\\ufe0f\\u034f\\ufffe'],
  ['Größe 数 🔥 naïve', 'Größe 数 🔥 naïve'],
])('%j is shown as %s', (text, shown) => {
  expect(visibleText(text)).toBe(shown);
});

it('keeps line ends and tabs where they are meant', () => {
  expect(visibleLines('a;b 1\n\tc\u001B 2\r\n')).toBe('a;b 1\n\tc\\x1b 2\\x0d\n');
});

it('whatever the text, nothing unseen is left, and JSON means the same', () => {
  // Written out, not by the classes that the code uses.
  const unseen =
    // oxlint-disable-next-line no-control-regex -- they are what this is about
    /[\0-\u001F\u007F-\u009F\u00AD\u061C\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 30 })
      .map((units) => String.fromCharCode(...units)),
  );
  const holds = (value: string): void => {
    expect(visibleText(value)).not.toMatch(unseen);
    expect(visibleLines(value).replaceAll(/[\n\t]/g, '')).not.toMatch(unseen);
    const json = visibleJson(JSON.stringify({ value }, undefined, 2));
    expect(json.replaceAll('\n', '')).not.toMatch(unseen);
    expect(JSON.parse(json)).toEqual({ value });
  };
  expect(() => fc.assert(fc.property(text, holds), { numRuns: scaled(2000) })).not.toThrow();
});
