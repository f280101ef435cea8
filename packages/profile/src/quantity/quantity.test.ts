import { expect, test } from 'vitest';
import { formatAmount, shownUnit } from './quantity.ts';

const SPAN_MS = 300_000;

test.each([
  ['cpu', 'nanoseconds', 12e9, '0.0400 cores'],
  ['cpu', 'microseconds', 60_000_000, '0.200 cores'],
  ['cpu', 'ms', 60_000, '0.200 cores'],
  ['rss', 'kilobytes', 4_194_304, '4 GiB'],
  ['mem', 'megabytes', 2048, '2 GiB'],
  ['x', 'KiB', 3, '3 KiB'],
  ['x', 'bytes', 1500, '1.46 KiB'],
  ['x', 'byte', 12, '12 B'],
  ['pause', 'milliseconds', 7_200_000, '2 h'],
  ['latency', 'seconds', 7200, '2 h'],
  ['delay', 'nanoseconds', 26e15, '301 d'],
  ['wall', 'nanoseconds', 90e9, '1.50 min'],
  ['wall', 'ns', 1500, '1.50 µs'],
  ['energy', 'microjoules', 5_000_000, '5 J'],
  ['power', 'milliwatts', 1500, '1.50 W'],
  ['clock', 'hertz', 2_400_000_000, '2.40 GHz'],
  ['load', 'percent', 42, '42 %'],
  ['goroutine', 'count', 12, '12'],
  ['pages', 'bananas', 5_000_000, '5,000,000 bananas'],
])('%s of %s: %d is %s', (sampleType, unit, value, text) => {
  expect(formatAmount(value, { unit, sampleType, spanMs: SPAN_MS })).toBe(text);
});

test('an axis has one unit for all of its numbers', () => {
  expect(shownUnit(50 * 1024 ** 3, { unit: 'bytes' })).toEqual({ size: 1024 ** 3, suffix: 'GiB' });
  expect(shownUnit(7200, { unit: 'seconds' })).toEqual({ size: 3600, suffix: 'h' });
});
