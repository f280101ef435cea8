import * as fc from 'fast-check';
import { testSeed } from '@fleetflame/testing';
import { expect, test } from 'vitest';
import { unitFactor, unitOf } from './units.ts';

test.each([
  ['seconds', 'nanoseconds', 1e9],
  ['ms', 'µs', 1000],
  ['weeks', 'ps', 6.048e17],
  ['hrs', 'min', 60],
  ['KB', 'B', 1024],
  ['GiB', 'megabytes', 1024],
  ['exabytes', 'byte', 2 ** 60],
  ['kJ', 'picojoules', 1e15],
  ['MHz', 'hertz', 1e6],
  ['Percent', '%', 1],
  ['Count', 'counts', 1],
  ['apples', 'Apple', 1],
  ['ns', 'ms', 1e-6],
])('one of %s is %s x %d', (from, into, factor) => {
  expect(unitFactor(from, into)).toBe(factor);
});

test('what is no unit of a family is of its own, also when it is called like one', () => {
  for (const word of ['time', 'bytes2', 'J_', 'percentile', 'status', 'class', 's s', '__proto__']) {
    expect(unitOf(word).family).toMatch(/^of /);
    expect(unitFactor(word, 'seconds')).toBeUndefined();
  }
});

test('any text is a unit, and of two of a family the larger is a whole number of the smaller', () => {
  const names = [
    'ns',
    'us',
    'ms',
    's',
    'min',
    'h',
    'd',
    'kb',
    'MB',
    'GiB',
    'b',
    'mJ',
    'J',
    'kJ',
    'Hz',
    'GHz',
  ];
  const seed = testSeed();
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.constantFrom(...names), fc.string(), (a, b, text) => {
      expect(unitOf(text).size).toBeGreaterThan(0);
      const factor = unitFactor(a, b);
      if (factor === undefined) return;
      expect(Number.isInteger(factor < 1 ? unitFactor(b, a) : factor)).toBe(true);
    }),
    { seed },
  );
});
