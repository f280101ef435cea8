import { describe, expect, test } from 'vitest';
import { counted, formatAmount, percent, roundNumber, sampling, threeDigits } from './format.ts';

const CPU = { unit: 'nanoseconds', sampleType: 'cpu', spanMs: 10_000 };

describe('numbers for people', () => {
  test.each([
    [18_432.4, '18,432'],
    [312, '312'],
    [99.95, '100.0'],
    [1.874, '1.87'],
    [0.042, '0.0420'],
    [0.00001, '<0.0001'],
    [0, '0'],
  ])('%d is %s', (value, text) => {
    expect(threeDigits(value)).toBe(text);
  });

  test('CPU time is cores over the span', () => {
    expect(formatAmount(15e9, CPU)).toBe('1.50 cores');
  });

  test.each([
    [{ ...CPU, sampleType: 'wall' }, 90e9, '1.50 min'],
    [{ unit: 'bytes', sampleType: 'alloc_space', spanMs: 1 }, 3 * 1024 * 1024, '3 MiB'],
    [{ unit: 'count', sampleType: 'alloc_objects', spanMs: 1 }, 12, '12'],
  ])('other units keep theirs', (quantity, value, text) => {
    expect(formatAmount(value, quantity)).toBe(text);
  });

  test.each([
    [1, 3, '33.3 %'],
    [1, 40, '2.50 %'],
    [1, 1e9, '<0.01 %'],
    [9_999_999, 1e7, '>99.9 %'],
    [0, 5, '0 %'],
    [5, 0, '0 %'],
  ])('%d of %d', (part, whole, text) => {
    expect(percent(part, whole)).toBe(text);
  });

  test('the sampling error is one over the root of the samples', () => {
    expect(sampling(100, 1)).toEqual({ samples: 100, errorShare: 0.1 });
    expect(sampling(100, 0)).toBeUndefined();
  });

  test('round numbers keep their zeros', () => {
    expect([1000, 100, 2.5, 0.05, 0].map((value) => roundNumber(value))).toEqual([
      '1,000',
      '100',
      '2.5',
      '0.05',
      '0',
    ]);
  });

  test('one is not many', () => {
    expect([counted(1, 'host'), counted(2, 'host'), counted(0, 'box', 'boxes')]).toEqual([
      '1 host',
      '2 hosts',
      '0 boxes',
    ]);
  });
});
