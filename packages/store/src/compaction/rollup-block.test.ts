import { describeBlock, arbitraryBlock, blockFromText, TEST_TIME_MS } from '@fleetflame/profile/testing';
import { mergeBlocks, SERIES_KINDS, type Block } from '@fleetflame/profile';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { rollUpBlock } from './rollup-block.ts';

const FIVE = 300_000;

/** Sums by time of the series that are made coarse, or of those that are not. */
function points(block: Block, coarse = true): Map<number, number> {
  const sums = new Map<number, number>();
  const { time, value, pointStart, series } = block.samples;
  for (let row = 0; row < block.samples.length; row++) {
    if ((SERIES_KINDS[block.series.kind[series[row]!]!] === 'cumulative') === coarse) continue;
    for (let at = pointStart[row]!; at < pointStart[row + 1]!; at++) {
      const ms = block.timeStartMs + time[at]!;
      sums.set(ms, (sums.get(ms) ?? 0) + value[at]!);
    }
  }
  return sums;
}

const total = (block: Block) => block.samples.total.reduce((sum, value) => sum + value, 0);

test('series that differ in dropped labels become one, points of one cell one point', () => {
  const timeMs = Math.ceil(TEST_TIME_MS / FIVE) * FIVE;
  const hosts = ['a', 'b'].map((host) =>
    blockFromText('main;parse 30 @+1000\nmain;parse 12 @+299999\nmain;parse 5 @+300000', {
      timeMs,
      labels: { service_name: 'api', host_name: host },
    }),
  );
  const rolled = rollUpBlock(mergeBlocks(hosts), { resolutionMs: FIVE, dropLabels: ['host_name'] });
  expect([rolled.series.length, rolled.samples.length]).toEqual([1, 1]);
  expect(points(rolled)).toEqual(
    new Map([
      [timeMs, 84],
      [timeMs + FIVE, 10],
    ]),
  );
  expect(rolled.strings).not.toContain('host_name');
});

test('any block: totals are equal to the last integer, times are multiples, and doing it again changes nothing', () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryBlock(), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(1000, FIVE, 3_600_000),
      fc.subarray(['host_name', 'service_name', 'thread_name']),
      (blocks, resolutionMs, dropLabels) => {
        const shape = { resolutionMs, dropLabels };
        const whole = mergeBlocks(blocks);
        const rolled = rollUpBlock(whole, shape);
        expect(total(rolled)).toBe(total(whole));
        expect(new Map(rolled.losses)).toEqual(new Map(whole.losses));
        const cells = new Map<number, number>();
        for (const [ms, value] of points(whole)) {
          const cell = Math.floor(ms / resolutionMs) * resolutionMs;
          cells.set(cell, (cells.get(cell) ?? 0) + value);
        }
        expect(points(rolled)).toEqual(cells);
        expect(points(rolled, false)).toEqual(points(whole, false));
        expect(describeBlock(rollUpBlock(rolled, shape))).toEqual(describeBlock(rolled));
        // In any order, and in parts: it is a merge like others.
        const parts = mergeBlocks(blocks.map((block) => rollUpBlock(block, shape)));
        expect(describeBlock(parts)).toEqual(describeBlock(rolled));
      },
    ),
    { numRuns: 100 },
  );
});
