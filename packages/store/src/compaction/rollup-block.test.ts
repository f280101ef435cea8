import {
  arbitraryBlock,
  blockFromText,
  blocksOfSnapshots,
  describeBlock,
  TEST_TIME_MS,
} from '@fleetflame/profile/testing';
import {
  Durations,
  foldKinds,
  mergeBlocks,
  partInRange,
  SERIES_KINDS,
  validateBlock,
  type Block,
} from '@fleetflame/profile';
import { scaled, testSeed } from '@fleetflame/testing';
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

/** What cells have of the rates and gauges of a block, by the rule of a question. */
function coarsePoints(block: Block, resolutionMs: number): Map<number, number> {
  const durations = new Durations(block);
  const { time, value, pointStart, series } = block.samples;
  const sums = new Map<number, number>();
  for (let row = 0; row < block.samples.length; row++) {
    if (SERIES_KINDS[block.series.kind[series[row]!]!] === 'cumulative') continue;
    for (let at = pointStart[row]!; at < pointStart[row + 1]!; at++) {
      const ms = block.timeStartMs + time[at]!;
      const durationMs = durations.of(series[row]!, time[at]!);
      const isRate = block.series.kind[series[row]!] === 0;
      for (
        let cell = Math.floor(ms / resolutionMs) * resolutionMs;
        cell <= ms + durationMs;
        cell += resolutionMs
      ) {
        const range = { fromMs: cell, toMs: cell + resolutionMs };
        const part = partInRange(ms, value[at]!, isRate ? durationMs : 0, range);
        sums.set(cell, (sums.get(cell) ?? 0) + part);
      }
    }
  }
  return sums;
}

const nonZero = (sums: ReadonlyMap<number, number>) =>
  new Map([...sums].filter(([, sum]) => sum !== 0).toSorted(([a], [b]) => a - b));

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
        expect(nonZero(points(rolled))).toEqual(nonZero(coarsePoints(whole, resolutionMs)));
        expect(points(rolled, false)).toEqual(points(whole, false));
        expect(describeBlock(rollUpBlock(rolled, shape))).toEqual(describeBlock(rolled));
      },
    ),
    { numRuns: 100, seed: testSeed() },
  );
});

test('of instants and snapshots, the rollup of a merge is the merge of rollups', () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryBlock({ instants: true }), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(1000, FIVE, 3_600_000),
      (blocks, resolutionMs) => {
        const shape = { resolutionMs, dropLabels: ['host_name'] };
        const parts = mergeBlocks(blocks.map((block) => rollUpBlock(block, shape)));
        expect(describeBlock(parts)).toEqual(describeBlock(rollUpBlock(mergeBlocks(blocks), shape)));
      },
    ),
    { numRuns: 100, seed: testSeed() },
  );
});

/** Profiles of two hosts: no two of one series begin at once, which is what makes them two. */
const profiles = fc.uniqueArray(
  fc.record({
    host: fc.constantFrom('a', 'b'),
    timeMs: fc.integer({ min: 0, max: 3 * 3_600_000 }),
    durationMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 900_000 })),
    value: fc.integer({ min: 0, max: 2 ** 40 }),
    stack: fc.constantFrom('main;a', 'main;b', 'main'),
  }),
  { minLength: 1, maxLength: 30, selector: ({ host, timeMs }) => `${host} ${timeMs}` },
);

test('profiles that took time: rollups of any cut into blocks have in each cell what raw blocks answer for it', () => {
  fc.assert(
    fc.property(profiles, fc.array(fc.nat(4), { minLength: 30, maxLength: 30 }), (all, groups) => {
      const start = Math.ceil(TEST_TIME_MS / 3_600_000) * 3_600_000;
      const cut = Map.groupBy(all, (profile) => groups[all.indexOf(profile)]);
      const blocks = [...cut.values()].map((group) =>
        mergeBlocks(
          group.flatMap(({ host, timeMs, durationMs, value, stack }) =>
            blocksOfSnapshots(
              'rate',
              { service_name: 'api', host_name: host },
              [{ timeMs: start + timeMs, durationMs, values: { [stack]: value } }],
              'wall:wall:nanoseconds:wall:nanoseconds',
            ),
          ),
        ),
      );
      const dropLabels = ['host_name'];
      const five = blocks.map((block) => rollUpBlock(block, { resolutionMs: FIVE, dropLabels }));
      const hour = five.map((block) => rollUpBlock(block, { resolutionMs: 3_600_000, dropLabels }));
      for (const [resolutionMs, rolled] of [
        [FIVE, five],
        [3_600_000, hour],
      ] as const) {
        const edges = Array.from(
          { length: 5 * (3_600_000 / resolutionMs) },
          (_, i) => start + i * resolutionMs,
        );
        // One block, and as many as there are: the same.
        const raw = cellSums(foldKinds(mergeBlocks(blocks), edges));
        expect(cellSums(...blocks.map((block) => foldKinds(block, edges)))).toEqual(raw);
        expect(cellSums(...rolled)).toEqual(raw);
        expect(cellSums(mergeBlocks(rolled))).toEqual(raw);
        for (const block of rolled) expect(() => validateBlock(block)).not.toThrow();
      }
    }),
    { numRuns: scaled(60), seed: testSeed() },
  );
});

/** Sums by (time, stack) of all blocks. */
function cellSums(...blocks: readonly Block[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const block of blocks) {
    for (const line of describeBlock(block)) {
      const row = /^wall\S* \S+ \{.*\} (?<stack>\S+) = \d+: (?<points>.*)$/u.exec(line)?.groups;
      for (const point of (row?.['points'] ?? '').split(', ').filter((text) => text !== '')) {
        const [time = '', value = ''] = point.split(' ');
        const key = `${time} ${row?.['stack']}`;
        if (value !== '0') sums.set(key, (sums.get(key) ?? 0) + Number(value));
      }
    }
  }
  return new Map([...sums].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
