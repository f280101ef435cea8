import { describe, expect, test } from 'vitest';

import { StringTable } from '../string-table.ts';
import { StringInterner } from './string-interner.ts';

/** Of every length up to some hundred bytes, of one to four bytes a character, many of them alike. */
function texts(): string[] {
  const out: string[] = [];
  for (let i = 0; i < 2000; i++) {
    out.push(`${'main.'.repeat(i % 40)}${['f', 'ö', '火', '🔥'][i % 4]}${i}`);
    out.push(`${i}/${'x'.repeat(i % 300)}`);
  }
  return out;
}

describe('StringInterner', () => {
  test('gives equal bytes equal rows, and every row its text', () => {
    const strings = new StringInterner();
    const wanted = texts();
    const rows = wanted.map((text) => strings.text(text));
    expect(new Set(rows).size).toBe(wanted.length);
    const encoder = new TextEncoder();
    for (const [i, text] of wanted.entries()) {
      const bytes = encoder.encode(`<${text}>`);
      expect(strings.intern(bytes, 1, bytes.length - 1)).toBe(rows[i]);
      expect(strings.at(rows[i]!)).toBe(text);
      expect(strings.find(text)).toBe(rows[i]);
    }
    expect(strings.find('not there')).toBe(-1);
    expect(strings.length).toBe(wanted.length + 1);
  });

  test('row 0 is the empty string', () => {
    const strings = new StringInterner();
    expect(strings.text('')).toBe(0);
    expect(strings.at(0)).toBe('');
  });

  test('half a surrogate pair becomes the replacement character', () => {
    const strings = new StringInterner();
    expect(strings.text('a\ud800b')).toBe(strings.text('a\ufffdb'));
  });

  test('a table that was taken does not change', () => {
    const strings = new StringInterner();
    strings.text('one');
    const table = strings.table();
    for (const text of texts()) strings.text(text);
    expect([...table]).toEqual(['', 'one']);
  });
});

describe('StringTable', () => {
  test('compares as code points do', () => {
    const table = StringTable.of(['', 'a', 'ab', 'b', 'ö', '\uff5e', '🔥']);
    for (let i = 1; i < table.length; i++) expect(table.compare(i - 1, i)).toBeLessThan(0);
    expect(table.compare(3, 3)).toBe(0);
  });

  test('keeps what it is made of', () => {
    const wanted = texts();
    expect([...StringTable.of(wanted)]).toEqual(wanted);
    expect(StringTable.of(['x', 'byte order \ufeff mark']).at(1)).toBe('byte order \ufeff mark');
    expect(StringTable.of(wanted).at(wanted.length)).toBe('');
  });
});
