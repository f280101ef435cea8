import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SERIES_KINDS, type Block } from '../block/block.ts';
import { mergeBlocks } from '../block/merge-blocks.ts';
import {
  arbitraryBlock,
  blocksOfSnapshots,
  describeBlock,
  TEST_TIME_MS,
  type Snapshot,
} from '../testing/index.ts';
import { foldKinds } from './fold-kinds.ts';

const T = TEST_TIME_MS;
const every10s = (...values: readonly number[]): Snapshot[] =>
  values.map((value, i) => ({ timeMs: T + 10_000 * i, values: { main: value } }));
const sum = (block: Block): number => block.samples.total.reduce((a, b) => a + b, 0);
const over = (blocks: readonly Block[], from: number, to: number): number =>
  sum(foldKinds(mergeBlocks(blocks), [T + from, T + to]));

test('a gauge is the sum over hosts of the mean of their snapshots', () => {
  const hosts = ['a', 'b'].flatMap((host_name) =>
    blocksOfSnapshots('gauge', { service_name: 'api', host_name }, every10s(100, 100, 100, 100, 100, 100)),
  );
  expect(over(hosts, 0, 60_000)).toBe(200);
  expect(over(hosts, 15_000, 25_000)).toBe(200);
  expect(over(hosts, 61_000, 70_000)).toBe(0);
});

test('a stack that a snapshot does not have counts as nothing in its mean', () => {
  const snapshots = [
    { timeMs: T, values: { 'main;a': 30, 'main;b': 10 } },
    { timeMs: T + 1, values: { 'main;b': 10 } },
    { timeMs: T + 2, values: { 'main;b': 10 } },
  ];
  const folded = foldKinds(mergeBlocks(blocksOfSnapshots('gauge', { service_name: 'api' }, snapshots)), [
    T,
    T + 10,
  ]);
  expect([...folded.samples.total]).toEqual([10, 10]);
});

test('a cumulative value counts by what was added; what there was before the first profile does not', () => {
  const heap = blocksOfSnapshots('cumulative', { service_name: 'api' }, every10s(100, 200, 300, 400, 500));
  expect(over(heap, 0, 60_000)).toBe(400);
  // With a profile before the range, counting begins there.
  expect(over(heap, 5000, 60_000)).toBe(400);
  expect(over(heap, 15_000, 35_000)).toBe(200);
  expect(over(heap.slice(0, 1), 0, 60_000), 'one alone counts whole').toBe(100);
});

test('a fall is a restart: all that there is since counts, of every stack, and nothing is negative', () => {
  expect(
    over(blocksOfSnapshots('cumulative', { service_name: 'api' }, every10s(10, 30, 5, 9)), 0, 60_000),
  ).toBe(20 + 5 + 4);
  const twoStacks = [
    { timeMs: T, values: { a: 10, b: 1 } },
    { timeMs: T + 1, values: { a: 3, b: 2 } },
  ];
  expect(over(blocksOfSnapshots('cumulative', { service_name: 'api' }, twoStacks), 0, 10)).toBe(3 + 2);
});

test('hosts are differenced each for itself', () => {
  const hosts = ['a', 'b'].flatMap((host_name, i) =>
    blocksOfSnapshots('cumulative', { service_name: 'api', host_name }, every10s(1000 * i, 1000 * i + 5)),
  );
  expect(over(hosts, 0, 60_000)).toBe(10);
});

test('a rate is spread over the time that its profile took, to the last unit', () => {
  const minute = blocksOfSnapshots('rate', { service_name: 'api' }, [
    { timeMs: T, durationMs: 60_000, values: { main: 6_000_000_001 } },
  ]);
  const edges = Array.from({ length: 7 }, (_, i) => T + i * 10_000);
  const folded = foldKinds(mergeBlocks(minute), edges);
  expect([...folded.samples.value]).toEqual([1e9, 1e9, 1e9, 1e9, 1e9, 1_000_000_001]);
  expect(over(minute, 30_000, 90_000)).toBe(3_000_000_001);
  expect(over(minute, -30_000, 30_000)).toBe(3_000_000_000);
});

test('any blocks: parts of rates that touch add up, and the layout changes no answer', () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryBlock(), { minLength: 1, maxLength: 4 }),
      fc.uniqueArray(fc.integer({ min: -70_000, max: 70_000 }), { minLength: 2, maxLength: 6 }),
      (blocks, offsets) => {
        const edges = offsets.toSorted((a, b) => a - b).map((offset) => T + offset);
        const merged = mergeBlocks(blocks);
        const folded = describeBlock(foldKinds(merged, edges));
        expect(describeBlock(foldKinds(mergeBlocks([...blocks].reverse()), edges))).toEqual(folded);
        expect(
          describeBlock(foldKinds(mergeBlocks(blocks.map((block) => mergeBlocks([block]))), edges)),
        ).toEqual(folded);
        const rates = {
          ...merged,
          series: { ...merged.series, kind: merged.series.kind.fill(SERIES_KINDS.indexOf('rate')) },
        };
        const whole = sum(foldKinds(rates, [edges[0] ?? 0, edges.at(-1) ?? 0]));
        expect(sum(foldKinds(rates, edges))).toBe(whole);
      },
    ),
    { numRuns: 200 },
  );
});
