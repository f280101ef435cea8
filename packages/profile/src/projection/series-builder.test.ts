import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSelector } from '../selector/parse-selector.ts';
import { arbitraryBlock, blockFromText, TEST_PROFILE_TYPE, TEST_TIME_MS } from '../testing/index.ts';
import { selectSeries } from './sample-selection.ts';
import { SeriesBuilder } from './series-builder.ts';

const T = TEST_TIME_MS;
const all = parseSelector('');

describe('series of blocks', () => {
  test('put a value at t into the step floor(t / step) * step', () => {
    const block = blockFromText('a 1 @+0\na 2 @+9999\na 4 @+10000\nb 8 @+29999\na 16 @+30000');
    const builder = new SeriesBuilder({
      fromMs: T,
      toMs: T + 30_000,
      stepMs: 10_000,
      groupBy: [],
      maxGroups: 9,
    });
    builder.addBlock(block, { series: selectSeries(block, TEST_PROFILE_TYPE, all) });
    expect([...builder.timesMs]).toEqual([T, T + 10_000, T + 20_000]);
    expect(builder.finish(10).map((group) => [...group.sums])).toEqual([[3, 4, 8]]);
  });

  test('a range that begins inside a step counts only what is in the range', () => {
    const block = blockFromText('a 1 @+4999\na 2 @+5000\na 4 @+14999\na 8 @+15000');
    const options = { fromMs: T + 5000, toMs: T + 15_000, stepMs: 10_000, groupBy: [], maxGroups: 9 };
    const builder = new SeriesBuilder(options);
    builder.addBlock(block, { series: selectSeries(block, TEST_PROFILE_TYPE, all) });
    expect([...builder.timesMs]).toEqual([T, T + 10_000]);
    expect(builder.finish(10).map((group) => [...group.sums])).toEqual([[2, 4]]);
  });

  test('keep the largest groups and sum the rest', () => {
    const builder = new SeriesBuilder({
      fromMs: T,
      toMs: T + 2000,
      stepMs: 1000,
      groupBy: ['s'],
      maxGroups: 9,
    });
    builder.add(['a'], T, 1);
    builder.add(['b'], T, 5);
    builder.add(['c'], T + 1000, 3);
    builder.add(['d'], T + 1999, 2);
    builder.add(['zero'], T, 0);
    expect(
      builder.finish(2).map(({ values, sums, total, rest }) => [values, [...sums], total, rest]),
    ).toEqual([
      [['b'], [5, 0], 5, false],
      [['c'], [0, 3], 3, false],
      [[], [1, 2], 3, true],
    ]);
  });

  test('refuse more groups than the limit', () => {
    const builder = new SeriesBuilder({ fromMs: 0, toMs: 1000, stepMs: 1000, groupBy: ['s'], maxGroups: 1 });
    builder.add(['a'], 0, 1);
    expect(() => builder.add(['b'], 0, 1)).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
  });

  test('add up from parts with ranges of their own', () => {
    const whole = { fromMs: T + 500, toMs: T + 60_000, stepMs: 1000, groupBy: ['s'], maxGroups: 9 };
    const builder = new SeriesBuilder(whole);
    for (const [fromMs, toMs] of [
      [T + 500, T + 501],
      [T + 700, T + 5000],
    ] as const) {
      const part = new SeriesBuilder({ ...whole, fromMs, toMs });
      part.add(['a'], fromMs, 1);
      part.add(['b'], toMs - 1, 2);
      builder.addBuilder(part);
    }
    expect(builder.finish(9).map(({ values, sums }) => [values, [...sums.subarray(0, 6)]])).toEqual([
      [['b'], [2, 0, 0, 0, 2, 0]],
      [['a'], [2, 0, 0, 0, 0, 0]],
    ]);
  });

  test('know when a total is enough', () => {
    const builder = new SeriesBuilder({ fromMs: 1500, toMs: 9000, stepMs: 1000, groupBy: [], maxGroups: 9 });
    expect(builder.inOneStep(2000, 2999)).toBe(true);
    expect(builder.inOneStep(2000, 3000)).toBe(false);
    expect(builder.inOneStep(1000, 1999)).toBe(false);
    expect(builder.inOneStep(8000, 9000)).toBe(false);
  });

  test('equal a sum by hand for any block, range and step', () => {
    const range = fc.record({
      from: fc.integer({ min: -3, max: 8 }),
      length: fc.nat(9),
      step: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(arbitraryBlock({ instants: true }), range, (block, { from, length, step }) => {
        const fromMs = T + from;
        const options = { fromMs, toMs: fromMs + length, stepMs: step, groupBy: ['zone'], maxGroups: 99 };
        const builder = new SeriesBuilder(options);
        builder.addBlock(block, { series: selectSeries(block, TEST_PROFILE_TYPE, all) });
        const expected = Array.from(builder.timesMs, () => 0);
        const { samples, series, strings } = block;
        for (let row = 0; row < samples.length; row++) {
          if (strings.at(series.profileType[samples.series[row]!]!) !== TEST_PROFILE_TYPE) continue;
          for (let point = samples.pointStart[row]!; point < samples.pointStart[row + 1]!; point++) {
            const time = block.timeStartMs + samples.time[point]!;
            if (time < fromMs || time >= fromMs + length) continue;
            expected[builder.timesMs.indexOf(Math.floor(time / step) * step)]! += samples.value[point]!;
          }
        }
        const sums = builder.timesMs.map((_, i) =>
          builder.finish(99).reduce((sum, group) => sum + group.sums[i]!, 0),
        );
        expect([...sums]).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });
});
