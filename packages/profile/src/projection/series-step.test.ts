import { expect, test } from 'vitest';
import { liveRangeStartMs, seriesStepMs } from './series-step.ts';

test.each([
  [1, 1000],
  [300_000, 2000],
  [900_000, 5000],
  [3_600_000, 15_000],
  [86_400_000, 600_000],
  [604_800_000, 3_600_000],
  [400 * 86_400_000, 2 * 86_400_000],
])('a range of %d ms has steps of %d ms', (rangeMs, stepMs) => {
  expect(seriesStepMs(rangeMs)).toBe(stepMs);
});

test('steps of ranges past a day are multiples of five minutes, as the points of rollups are', () => {
  for (let hours = 21; hours < 24 * 500; hours++) expect(seriesStepMs(hours * 3_600_000) % 300_000).toBe(0);
});

test.each([
  [15 * 60_000, 0],
  [3_600_000, 0],
  [6 * 3_600_000, 100_000],
  [86_400_000, 100_000],
  [30 * 86_400_000, 700_000],
])('a range of %d ms begins %d ms earlier, with a cell of rollups', (rangeMs, earlierMs) => {
  const toMs = Date.UTC(2026, 10, 26, 12, 11, 40);
  expect(toMs - rangeMs - liveRangeStartMs(toMs, rangeMs)).toBe(earlierMs);
});
