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
  ['goroutine', 'Count', 12, '12'],
  ['x', 'Samples', 12, '12'],
  ['x', '', 12, '12'],
  ['wall', 'sec', 7200, '2 h'],
  ['wall', 'secs', 90, '1.50 min'],
  ['wall', 'Seconds', 60, '1 min'],
  ['wall', 'usec', 1500, '1.50 ms'],
  ['wall', 'us', 1500, '1.50 ms'],
  ['wall', '\u00b5s', 1500, '1.50 ms'],
  ['wall', '\u03bcs', 1500, '1.50 ms'],
  ['wall', 'msec', 1500, '1.50 s'],
  ['wall', 'picoseconds', 1500, '1.50 ns'],
  ['wall', 'mins', 120, '2 h'],
  ['wall', 'minute', 5, '5 min'],
  ['wall', 'hrs', 48, '2 d'],
  ['wall', 'hour', 12, '12 h'],
  ['wall', 'days', 3, '3 d'],
  ['cpu', 'secs', 60, '0.200 cores'],
  ['clock', 'MHz', 2400, '2.40 GHz'],
  ['clock', 'mhz', 2400, '2.40 GHz'],
  ['clock', 'Hz', 50, '50 Hz'],
  ['clock', 'GHz', 3, '3 GHz'],
  ['x', 'KB', 2048, '2 MiB'],
  ['x', 'kB', 1, '1 KiB'],
  ['x', 'kbytes', 1, '1 KiB'],
  ['x', 'Bytes', 1500, '1.46 KiB'],
  ['x', 'EiB', 2, '2 EiB'],
  ['x', 'exabytes', 2, '2 EiB'],
  ['x', 'PB', 2048, '2 EiB'],
  ['x', 'kilobytes', 0, '0 KiB'],
  ['energy', 'picojoules', 1500, '1.50 nJ'],
  ['energy', 'nJ', 1500, '1.50 µJ'],
  ['energy', 'kilojoules', 1500, '1.50 MJ'],
  ['power', 'MW', 1, '1 MW'],
  ['power', 'mW', 1, '1 mW'],
  ['power', 'kW', 0, '0 kW'],
  ['load', 'percentage', 42, '42 %'],
  ['load', 'Percent', 42, '42 %'],
  ['cost', 'milligcu', 1500, '1.50 GCU'],
  ['pages', 'bananas', 5_000_000, '5,000,000 bananas'],
])('%s of %s: %d is %s', (sampleType, unit, value, text) => {
  expect(formatAmount(value, { unit, sampleType, spanMs: SPAN_MS })).toBe(text);
});

test('an axis has one unit for all of its numbers', () => {
  expect(shownUnit(50 * 1024 ** 3, { unit: 'bytes' })).toEqual({ size: 1024 ** 3, suffix: 'GiB' });
  expect(shownUnit(7200, { unit: 'seconds' })).toEqual({ size: 3600, suffix: 'h' });
});
