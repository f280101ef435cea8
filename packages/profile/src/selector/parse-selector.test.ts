import { describe, expect, test } from 'vitest';
import { SELECTOR_LIMITS } from './limits.ts';
import { parseSelector } from './parse-selector.ts';
import { SelectorSyntaxError } from './selector-syntax-error.ts';
import { selectorMatches } from './selector.ts';

function shape(text: string): string[][] {
  return parseSelector(text).matchers.map(({ name, op, value }) => [name, op, value]);
}

function failure(text: string): SelectorSyntaxError {
  try {
    parseSelector(text);
  } catch (error) {
    if (error instanceof SelectorSyntaxError) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
}

describe('syntax', () => {
  test.each([
    ['', []],
    ['  \n', []],
    ['# everything', []],
    ['{}', []],
    [' { } ', []],
    ['{a="b"}', [['a', '=', 'b']]],
    ['{a="b",}', [['a', '=', 'b']]],
    [
      '{ a != "b" ,\n\tb=~"c.*", # hosts\n c!~"d" , }',
      [
        ['a', '!=', 'b'],
        ['b', '=~', 'c.*'],
        ['c', '!~', 'd'],
      ],
    ],
    [
      '{a="x",a!="y"}',
      [
        ['a', '=', 'x'],
        ['a', '!=', 'y'],
      ],
    ],
    ['{"http.method"="GET"}', [['http.method', '=', 'GET']]],
    ["{'k8s/größe'!=''}", [['k8s/größe', '!=', '']]],
    ['{`a\\b`="c"}', [['a\\b', '=', 'c']]],
    ['{_a1="b"}', [['_a1', '=', 'b']]],
    ['{a="#},"}', [['a', '=', '#},']]],
  ])('%j is read', (text, matchers) => {
    expect(shape(text)).toEqual(matchers);
  });

  test.each([
    [String.raw`"a\nb\t\\\"'"`, 'a\nb\t\\"\''],
    [String.raw`'a\'b"'`, 'a\'b"'],
    ['`a\\n"\'b\n`', 'a\\n"\'b\n'],
    [String.raw`"\a\b\f\r\v"`, '\u0007\b\f\r\v'],
    [String.raw`"\x41\101\u00e4\U0001f525"`, 'AA\u00e4\u{1f525}'],
    [String.raw`"\xf0\x9f\224\245"`, '\u{1f525}'],
    ['"日本"', '日本'],
    ['""', ''],
  ])('the string %s is read as Go would', (literal, value) => {
    expect(shape(`{a=${literal}}`)).toEqual([['a', '=', value]]);
  });
});

describe('errors', () => {
  test.each([
    ['service_name="x"', 1, 12, 'expected "{", found service_name: write {service_name="…"}'],
    ['{', 2, 0, 'expected a label name, found the end'],
    ['{a', 3, 0, 'expected =, !=, =~ or !~ after a, found the end'],
    ['{a=', 4, 0, 'expected a quoted string after =, found the end'],
    ['{a="b"', 7, 0, 'expected "," or "}", found the end'],
    ['{a="b" c="d"}', 8, 1, 'expected "," or "}", found c'],
    ['{,}', 2, 1, 'expected a label name, found ,'],
    ['{a="b",,}', 8, 1, 'expected a label name or "}", found ,'],
    ['{a=b}', 4, 1, 'expected a quoted string after =, found b: write "b"'],
    ['{a=5m}', 4, 2, 'expected a quoted string after =, found 5m: write "5m"'],
    ['{a=="b"}', 3, 2, 'expected =, !=, =~ or !~ after a, found ==: write a single ='],
    ['{a~"b"}', 3, 1, 'expected =, !=, =~ or !~ after a, found ~'],
    ['{a!"b"}', 3, 1, 'expected =, !=, =~ or !~ after a, found !'],
    ['{http.method="GET"}', 2, 11, 'expected a label name, found http.method: quote it: "http.method"'],
    ['{größe="1"}', 2, 5, 'expected a label name, found größe: quote it: "größe"'],
    ['{""="1"}', 2, 2, 'a label name must not be empty'],
    ['{a="b}', 4, 3, 'the string that starts here has no closing "'],
    ['{a="b\n"}', 4, 2, 'the string that starts here has no closing "'],
    ['{a="b"} x', 9, 1, 'expected nothing after "}", found x'],
    [String.raw`{a="b\d"}`, 6, 2, 'unknown escape \\d: write \\\\d for a backslash, or use `backticks`'],
    [String.raw`{a="b\'"}`, 6, 2, "unknown escape \\': ' needs no backslash between \" quotes"],
    [String.raw`{a="\xg0"}`, 5, 4, '\\x must be followed by 2 hexadecimal digits'],
    [String.raw`{a="\ud800"}`, 5, 6, '\\ud800 is not a Unicode character'],
    [String.raw`{a="\400"}`, 5, 4, '\\400 is more than one byte (\\377)'],
    [String.raw`{a="x\xff\xfe"}`, 6, 8, 'these bytes are not UTF-8'],
    ['{a=~"(b"}', 5, 4, 'the regular expression is not valid RE2: missing closing ): `(b`'],
    [
      '{a!~"b(?=c)"}',
      5,
      8,
      'the regular expression is not valid RE2: invalid or unsupported Perl syntax: `(?=`',
    ],
    ['{a="\ud800"}', 5, 1, 'half of a surrogate pair is not a character'],
  ])('%j is refused in column %i', (text, column, length, reason) => {
    const error = failure(text);
    expect({ column: error.column, length: error.length, reason: error.reason, code: error.code }).toEqual({
      column,
      length,
      reason,
      code: 'invalid_input',
    });
  });

  test('the message shows the line with a caret under the place', () => {
    expect(failure('{service_name=api}').message).toBe(
      [
        'selector, column 15: expected a quoted string after =, found api: write "api"',
        '  {service_name=api}',
        '                ^^^',
      ].join('\n'),
    );
    expect(failure('{a="b",\n\tb=1}').message).toBe(
      [
        'selector, line 2, column 4: expected a quoted string after =, found 1: write "1"',
        '   b=1}',
        '     ^',
      ].join('\n'),
    );
  });

  test('a long line is cut around the caret', () => {
    const lines = failure(`{a="${'x'.repeat(500)}",b=1,c="${'y'.repeat(500)}"}`).message.split('\n');
    expect(lines[1]?.length).toBeLessThan(130);
    expect(lines[1]?.[lines[2]?.indexOf('^') ?? 0]).toBe('1');
  });

  test.each([
    ['its length', `{a="${'x'.repeat(SELECTOR_LIMITS.textLength)}"}`],
    ['its matchers', `{${'a="b",'.repeat(SELECTOR_LIMITS.matchers + 1)}}`],
    ['the length of a regular expression', `{a=~"${'x.'.repeat(SELECTOR_LIMITS.regexLength)}"}`],
    ['the repetitions of a regular expression', `{a=~"${'x{1000}'.repeat(20)}"}`],
    ['the size of a regular expression', String.raw`{a=~"(?:${'(?:xyz[a-z]){9}'.repeat(60)}){10}"}`],
    ['the size of all regular expressions', `{${'a=~"(abcdefgh){99}.{100}",'.repeat(60)}}`],
  ])('a selector is limited by %s', (_what, text) => {
    expect(failure(text).code).toBe('limit_exceeded');
  });
});

describe('the meaning is that of Prometheus', () => {
  const labels = { a: 'x', e: '', n: 'one\ntwo' };
  test.each([
    // Equality.
    ['{a="x"}', true],
    ['{a="y"}', false],
    ['{a!="x"}', false],
    ['{a!="y"}', true],
    // An absent label and an empty one are the same.
    ['{b=""}', true],
    ['{e=""}', true],
    ['{b!=""}', false],
    ['{a!=""}', true],
    ['{b="x"}', false],
    ['{b!="x"}', true],
    // Regular expressions are anchored on both sides, alternations too.
    ['{a=~"x"}', true],
    ['{a=~"x|y"}', true],
    ['{a=~"xx|y"}', false],
    ['{n=~"one"}', false],
    ['{n=~"two"}', false],
    ['{n=~"ne.t"}', false],
    ['{n=~"on|two"}', false],
    ['{n=~"one.two"}', true],
    ['{n=~"^one.*"}', true],
    ['{n=~".*two$"}', true],
    ['{a=~"(?i)X"}', true],
    ['{a=~"(?i:X|Y)"}', true],
    // An absent label is matched as "".
    ['{b=~""}', true],
    ['{a=~""}', false],
    ['{b=~".*"}', true],
    ['{b=~".+"}', false],
    ['{b=~"x|"}', true],
    ['{b=~"|x.*"}', true],
    ['{a!~""}', true],
    ['{b!~""}', false],
    ['{b!~".+"}', true],
    ['{b!~".*"}', false],
    ['{b!~"x"}', true],
    ['{a!~"x"}', false],
    ['{a!~"y.*"}', true],
    // All matchers must hold.
    ['{a="x",b="",e=~".*"}', true],
    ['{a="x",b="y"}', false],
    ['{a=~"x.*",a!="x"}', false],
    ['{}', true],
    ['', true],
  ])('%s on {a="x",e="",n="one\\ntwo"} is %s', (text, expected) => {
    const byName = new Map(Object.entries(labels));
    expect(selectorMatches(parseSelector(text), (name) => byName.get(name))).toBe(expected);
  });

  test('a regular expression that backtracks elsewhere takes linear time', () => {
    const selector = parseSelector('{a=~"(x+x+)+y"}');
    expect(selectorMatches(selector, () => 'x'.repeat(50_000))).toBe(false);
  });
});
