import { describe, expect, test } from 'vitest';
import { stackSeries, stepAt, timeTicks, valueTicks, type SeriesInput } from './stacked-series.ts';

const times = Float64Array.from([0, 1000, 2000, 3000]);
const group = (name: string, values: readonly number[], rest = false): SeriesInput => ({
  name,
  values: Float64Array.from(values),
  rest,
});
const OPTIONS = { stepMs: 1000, scale: 1, fromMs: 0, endMs: 4000, colours: 8 };

/** The colour of api beside a db of constant size. */
function colourOfApi(values: readonly number[]): number | undefined {
  const series = stackSeries(times, [group('api', values), group('db', [2, 2, 2, 2])], OPTIONS);
  return series.bands.find((band) => band.name === 'api')?.colour;
}

describe('stacking', () => {
  test('the largest is at the bottom, the rest on top, and the top is the sum', () => {
    const series = stackSeries(
      times,
      [group('rest', [9, 9, 9, 9], true), group('a', [1, 1, 1, 1]), group('b', [2, 3, 2, 2])],
      OPTIONS,
    );
    expect(series.bands.map((band) => band.name)).toEqual(['b', 'a', 'rest']);
    expect([...series.bands[2]!.upper]).toEqual([12, 13, 12, 12]);
    expect(series.peak).toBe(13);
  });

  test('a step that the newest sample cuts is scaled to its covered part', () => {
    const series = stackSeries(times, [group('a', [4, 4, 4, 2])], { ...OPTIONS, endMs: 3500 });
    expect([...series.bands[0]!.values]).toEqual([4, 4, 4, 4]);
  });

  test('a step with hardly any data is left out', () => {
    const series = stackSeries(times, [group('a', [4, 4, 4, 1])], { ...OPTIONS, endMs: 3100 });
    expect([...series.times]).toEqual([0, 1000, 2000]);
  });

  test('a group keeps its colour when its size changes', () => {
    expect(colourOfApi([1, 1, 1, 1])).toBe(colourOfApi([9, 9, 9, 9]));
  });

  test('two groups never share a colour while there are enough', () => {
    const groups = Array.from({ length: 8 }, (_, i) => group(`service-${i}`, [1, 1, 1, 1]));
    expect(new Set(stackSeries(times, groups, OPTIONS).bands.map((band) => band.colour)).size).toBe(8);
  });
});

test('the step under a time', () => {
  const series = stackSeries(times, [group('a', [1, 1, 1, 1])], OPTIONS);
  expect([-1, 0, 999, 1000, 3999, 4000].map((time) => stepAt(series, time))).toEqual([
    undefined,
    0,
    0,
    1,
    3,
    undefined,
  ]);
});

test.each([
  [13, 4, [0, 5, 10, 15]],
  [0.07, 4, [0, 0.02, 0.04, 0.06, 0.08]],
  [0, 4, [0, 1]],
])('ticks up to %d', (peak, most, ticks) => {
  expect(valueTicks(peak, most).ticks.map((tick) => Number(tick.toFixed(6)))).toEqual(ticks);
});

test('time ticks are whole units, and no more than asked for', () => {
  const ticks = timeTicks(1_700_000_123_000, 1_700_001_023_000, 8);
  expect(ticks.length).toBeLessThanOrEqual(8);
  expect(ticks.every((tick) => tick % 120_000 === 0)).toBe(true);
});
