import { describe, expect, it } from 'vitest';
import { formatDuration, parseDurationMs, parseTimeMs } from './duration.ts';

describe('durations', () => {
  it.each([
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['7d', 604_800_000],
  ])('reads %s', (text, ms) => {
    expect(parseDurationMs(text, '--last')).toBe(ms);
  });

  it.each(['', '5', 'm', '0s', '-5m', '5 m', '5m!', '1e3s'])('refuses "%s" and names the option', (text) => {
    expect(() => parseDurationMs(text, '--last')).toThrow(/--last: .* is not a duration/);
  });
});

it.each([
  [250, '250ms'],
  [12_500, '12.5s'],
  [300_000, '5m'],
  [5_400_000, '1h30m'],
  [86_400_000 + 1000, '1d1s'],
])('writes %d ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

describe('times', () => {
  it.each([
    ['2026-11-22T10:00:00Z', Date.UTC(2026, 10, 22, 10)],
    ['2026-11-22T10:00:00+02:00', Date.UTC(2026, 10, 22, 8)],
    ['2026-11-22', Date.UTC(2026, 10, 22)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
    ['2000-02-29T23:59:59.5Z', Date.UTC(2000, 1, 29, 23, 59, 59, 500)],
    ['2026-11-22T10:00:00+01:00', Date.UTC(2026, 10, 22, 9)],
    ['2026-11-22 10:00-05:30', Date.UTC(2026, 10, 22, 15, 30)],
    ['1795341600', 1_795_341_600_000],
    ['1795341600123', 1_795_341_600_123],
    ['now', 42],
  ])('reads %s', (text, ms) => {
    expect(parseTimeMs(text, '--from', 42)).toBe(ms);
  });

  it.each([
    '2026-02-30',
    '2026-02-30T10:00:00Z',
    '2025-02-29',
    '2100-02-29',
    '2026-04-31',
    '2026-00-10',
    '2026-01-00',
    '2026-01-01T24:00:00Z',
    '2026-01-01T25:00',
    '2026-01-01T10:60Z',
    '2016-12-31T23:59:60Z',
    '2026-01-01T10:00:00+24:00',
    '2026-01-01T10:00:00+01:60',
    '2026-01-01T10:00:00 CET',
    '2026-01-01T10:00:00Europe/Berlin',
    '26-01-01',
    '2026-1-1',
    '20260101',
    'yesterday',
    '2026-13-01T00:00:00Z',
    '12',
    '',
  ])('refuses "%s" and names the option', (text) => {
    expect(() => parseTimeMs(text, '--from', 42)).toThrow(/--from: .* is not a time/);
  });

  it.each(['1970-01-01', '1970-01-01T00:00:00Z', '1969-12-31', '0026-01-01'])(
    'refuses "%s": nothing is older than 1970',
    (text) => {
      expect(() => parseTimeMs(text, '--from', 42)).toThrow(/--from: .* is before everything/);
    },
  );
});
