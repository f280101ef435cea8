import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { completeSelector } from './complete-selector.ts';
import { parseSelector } from './parse-selector.ts';
import { quoteName, quoteValue } from './quote.ts';

/** The text with | at the cursor, and the result as "kind label [replaced] prefix before". */
function complete(marked: string): string {
  const cursor = marked.indexOf('|');
  const text = marked.slice(0, cursor) + marked.slice(cursor + 1);
  const { kind, labelName, from, to, prefix, before } = completeSelector(text, cursor);
  return [kind, labelName ?? '-', `[${text.slice(from, to)}]`, prefix, before].join(' ').trimEnd();
}

describe('completeSelector', () => {
  test.each([
    ['|', 'name - []  {'],
    ['serv|', 'name - [serv] serv {'],
    ['{|', 'name - []'],
    ['{|}', 'name - []'],
    ['{ser|vice="x"}', 'name - [service] ser'],
    ['{|service="x"}', 'name - [service]'],
    ['{"http.m|', 'name - ["http.m] http.m'],
    ['{"http.m|"="x"}', 'name - ["http.m"] http.m'],
    ['{a |', 'op a []'],
    ['{a !|', 'op a [!] !'],
    ['{a =|~"x"}', 'op a [=~] ='],
    ['{a|="x"}', 'name - [a] a'],
    ['{"a.b"|', 'op a.b []'],
    ['{a=|', 'value a []'],
    ['{a=|}', 'value a []'],
    ['{a=|"x"}', 'value a ["x"]'],
    ['{a="|"}', 'value a [""]'],
    ['{a="fo|o"}', 'value a ["foo"] fo'],
    ['{a="f\\"o|o"}', 'value a ["f\\"oo"] f"o'],
    ['{a="f\\x4|', 'value a ["f\\x4] f'],
    ['{a=~`f\\|', 'value a [`f\\] f\\'],
    ['{a=fo|', 'value a [fo] fo'],
    ['{a="fo|', 'value a ["fo] fo'],
    ['{a="fo|,b="x"}', 'value a ["fo] fo'],
    ['{a="fo|,b=~x}', 'value a ["fo] fo'],
    ['{a="b"|', 'name - []  ,'],
    ['{a="b"|}', 'name - []  ,'],
    ['{a="b" se|', 'name - [se] se ,'],
    ['{a="b",|', 'name - []'],
    ['{a="b", |}', 'name - []'],
    ['{a="b",c=~"x|"}', 'value c ["x"] x'],
    ['{a=="b",c!~"x|"}', 'value c ["x"] x'],
    ['{a="b"}|', 'none - []'],
    ['{a="b"} |x', 'none - []'],
    ['{a="b", # se|', 'none - []'],
    ['{a="b", # host\n se|', 'name - [se] se'],
  ])('%s completes %s', (marked, expected) => {
    expect(complete(marked)).toBe(expected);
  });

  test('any text and cursor get an answer whose range is in the text and ends at or behind the cursor', () => {
    const unit = fc.constantFrom(
      '{',
      '}',
      ',',
      '=',
      '~',
      '!',
      '"',
      "'",
      '`',
      '\\',
      'a',
      'é',
      ' ',
      '\n',
      '#',
      'x4',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 30 }), fc.nat(), (text, at) => {
        const cursor = at % (text.length + 1);
        const { from, to } = completeSelector(text, cursor);
        expect(from).toBeLessThanOrEqual(cursor);
        expect(to).toBeGreaterThanOrEqual(cursor);
        expect(to).toBeLessThanOrEqual(text.length);
      }),
    );
  });

  test('typing a selector by completions alone gives a selector that parses', () => {
    let text = '';
    for (const choice of ['service_name', '=', 'a "b"', 'http.method', '!~', 'GET']) {
      const { kind, from, to, before } = completeSelector(text, text.length);
      const written = { name: quoteName, op: String, value: quoteValue, none: String }[kind](choice);
      // The space ends a name: without it the cursor is still in the name.
      text = `${text.slice(0, from)}${before}${written} ${text.slice(to)}`;
    }
    expect(parseSelector(`${text}}`).matchers.map(({ name, op, value }) => [name, op, value])).toEqual([
      ['service_name', '=', 'a "b"'],
      ['http.method', '!~', 'GET'],
    ]);
  });
});
