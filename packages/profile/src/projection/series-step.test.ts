import { expect, test } from 'vitest';
import { seriesStepMs } from './series-step.ts';

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
