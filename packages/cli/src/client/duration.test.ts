import { describe, expect, it } from 'vitest';
import { parseDurationMs, parseTimeMs } from './duration.ts';

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

describe('times', () => {
  it.each([
    ['2026-11-22T10:00:00Z', Date.UTC(2026, 10, 22, 10)],
    ['2026-11-22T10:00:00+02:00', Date.UTC(2026, 10, 22, 8)],
    ['2026-11-22', Date.UTC(2026, 10, 22)],
    ['1795341600', 1_795_341_600_000],
    ['1795341600123', 1_795_341_600_123],
    ['now', 42],
  ])('reads %s', (text, ms) => {
    expect(parseTimeMs(text, '--from', 42)).toBe(ms);
  });

  it.each(['yesterday', '2026-13-01T00:00:00Z', '12', ''])('refuses "%s" and names the option', (text) => {
    expect(() => parseTimeMs(text, '--from', 42)).toThrow(/--from: .* is not a time/);
  });
});
