import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  formatAge,
  formatClock,
  formatDuration,
  formatOffset,
  fromLocalInput,
  resolveRange,
  shiftWindow,
  toLocalInput,
  widenWindow,
} from './range.ts';

const NOW = 1_700_000_000_500;

describe('time ranges', () => {
  test('a live range ends at the coming whole second', () => {
    expect(resolveRange({ kind: 'last', lastMs: 60_000 }, NOW)).toEqual({
      fromMs: 1_699_999_941_000,
      toMs: 1_700_000_001_000,
    });
  });

  test('neither shifting nor widening goes past now', () => {
    const window = { fromMs: NOW - 10_000, toMs: NOW - 1000 };
    expect(shiftWindow(window, 0.5, NOW)).toMatchObject({ toMs: 1_700_000_001_000 });
    expect(widenWindow(window, NOW)).toMatchObject({ toMs: 1_700_000_001_000 });
    expect(shiftWindow(window, -1, NOW)).toMatchObject({ fromMs: NOW - 19_000, toMs: NOW - 10_000 });
  });

  test('durations and ages', () => {
    expect([900_000, 90_000, 5_400_000, 9_000_000, 604_800_000].map((ms) => formatDuration(ms))).toEqual([
      '15 min',
      '1 min 30 s',
      '90 min',
      '2 h 30 min',
      '7 d',
    ]);
    expect([900, 59_999, 3_599_000, 90_000_000, 1e9].map((ms) => formatAge(ms))).toEqual([
      '0 s',
      '59 s',
      '59 min',
      '25 h',
      '11 d',
    ]);
  });

  test('a local date field gives back the second it was given', () => {
    expect(fromLocalInput(toLocalInput(1_700_000_000_000))).toBe(1_700_000_000_000);
    expect(fromLocalInput('')).toBeUndefined();
  });

  describe('where clocks are set back', () => {
    const zone = process.env['TZ'];
    beforeAll(() => {
      process.env['TZ'] = 'Europe/Berlin';
    });
    afterAll(() => {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    });

    const summer = Date.UTC(2026, 9, 25, 0, 15);
    const winter = Date.UTC(2026, 9, 25, 1, 15);
    const later = Date.UTC(2026, 11, 1);

    test('both hours of the night can be told apart', () => {
      expect(toLocalInput(summer)).toBe(toLocalInput(winter));
      expect(formatClock(summer, later)).toBe('25 Oct 02:15:00 UTC+02:00');
      expect(formatClock(winter, later)).toBe('25 Oct 02:15:00 UTC+01:00');
      expect(formatClock(winter, winter)).toBe('02:15:00 UTC+01:00');
    });

    test('other hours say no offset, other years the year', () => {
      expect(formatClock(Date.UTC(2026, 9, 25, 2, 0), later)).toBe('25 Oct 03:00:00');
      expect(formatClock(Date.UTC(2026, 2, 29, 1, 0), later)).toBe('29 Mar 03:00:00');
      expect(formatClock(Date.UTC(2025, 10, 30, 9), later)).toBe('30 Nov 2025 10:00:00');
      expect(formatOffset(summer)).toBe('UTC+02:00');
    });
  });
});
