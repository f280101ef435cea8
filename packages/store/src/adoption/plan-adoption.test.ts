import { expect, test } from 'vitest';
import { WHOLE } from '../catalog/block-entry.ts';
import { BatchRanges } from '../origin/batch-ranges.ts';
import type { Work } from '../origin/origin.ts';
import { planAdoption, type FoundBlock } from './plan-adoption.ts';

const entry = (id: string, more = {}) => ({
  ...WHOLE,
  id,
  key: `blocks/${id}`,
  level: 0,
  timeMinMs: 1,
  timeMaxMs: 2,
  sizeBytes: 10,
  rows: 1,
  ...more,
});
const segment = (id: string): FoundBlock => ({
  entry: entry(id),
  origin: { place: { ...WHOLE, level: 0 }, work: undefined, batches: BatchRanges.none },
  datasets: [],
  isKnown: false,
});
const output = (id: string, work: Partial<Work> & Pick<Work, 'id' | 'inputs'>): FoundBlock => ({
  ...segment(id),
  origin: {
    place: { ...WHOLE, level: 1 },
    work: { outputs: 1, beside: false, replaced: [], ...work },
    batches: BatchRanges.none,
  },
});
/** What was replaced a while ago. */
const before = (...ids: readonly string[]) => ids.map((id) => ({ id, atMs: 1 }));
/** Written before origins were kept. */
const old = (id: string, total: bigint, timeMinMs: number, timeMaxMs: number, rows = 1): FoundBlock => ({
  ...segment(id),
  origin: undefined,
  entry: entry(id, { timeMinMs, timeMaxMs, rows }),
  datasets: [{ name: 'cpu', total, timeMinMs, timeMaxMs }],
});
const live = (...blocks: readonly FoundBlock[]): string[] => planAdoption(blocks).live.map(({ id }) => id);

test('an output takes the place of its inputs, while they are still there', () => {
  expect(
    live(segment('1'), segment('2'), segment('3'), output('4', { id: 'w', inputs: ['1', '2'] })),
  ).toEqual(['3', '4']);
});

test('of two attempts at the same inputs one counts: the one that others were made of', () => {
  const first = output('4', { id: 'v', inputs: ['1', '2'] });
  const second = output('5', { id: 'w', inputs: ['1', '2'] });
  expect(live(segment('1'), segment('2'), first, second)).toEqual(['5']);
  const next = output('6', { id: 'x', inputs: ['4'], replaced: before('1', '2') });
  expect(live(segment('1'), segment('2'), first, second, next)).toEqual(['6']);
  // The inputs are gone, which only a commit does: still only one of them.
  expect(live(first, second)).toEqual(['5']);
});

test('a work that was broken off leaves its inputs', () => {
  const half = output('4', { id: 'w', inputs: ['1', '2'], outputs: 2 });
  expect(live(segment('1'), segment('2'), half)).toEqual(['1', '2']);
  // But one whose inputs are gone was committed, and its other output was merged on.
  expect(live(half)).toEqual(['4']);
});

test('rollups count beside what they were made of, once', () => {
  const rollup = output('4', { id: 'w', inputs: ['1', '2'], beside: true });
  const again = output('5', { id: 'x', inputs: ['1', '2'], beside: true });
  const plan = planAdoption([segment('1'), segment('2'), rollup, again]);
  expect(plan.live.map(({ id, rolledUp }) => [id, rolledUp])).toEqual([
    ['1', true],
    ['2', true],
    ['5', false],
  ]);
});

test('blocks without origins: what adds up to another one is in it', () => {
  const parts = [old('1', 3n, 10, 20), old('2', 4n, 30, 40)];
  expect(live(...parts, old('3', 7n, 10, 40, 9))).toEqual(['3']);
  expect(live(...parts, old('3', 8n, 10, 40, 9)), 'it does not').toEqual(['1', '2', '3']);
  const rollup = planAdoption([...parts, old('3', 7n, 0, 300_000, 9)]);
  expect(rollup.live.map(({ id, resolutionMs, rolledUp }) => [id, resolutionMs, rolledUp])).toEqual([
    ['1', 0, true],
    ['2', 0, true],
    ['3', 300_000, false],
  ]);
});

const withBatches = (block: FoundBlock, agentId: string, ...seqs: readonly number[]): FoundBlock => ({
  ...block,
  origin: {
    place: { ...WHOLE, level: 0 },
    work: undefined,
    ...block.origin,
    batches: BatchRanges.of(
      seqs.map((seq) => ({ agentId, seq: BigInt(seq) })),
      1,
    ),
  },
});

test('a segment that was never committed, and whose batches were sent again, does not count', () => {
  const lost = withBatches(segment('1'), 'a', 5);
  expect(live(lost, withBatches(segment('2'), 'a', 5, 6))).toEqual(['2']);
  expect(live(lost, { ...withBatches(segment('2'), 'a', 5), isKnown: true })).toEqual(['2']);
  expect(live(lost, withBatches(output('4', { id: 'w', inputs: ['2', '3'] }), 'a', 4, 5))).toEqual(['4']);
  // What others were made of was committed: the later one is the repeat, which died before its row.
  const merged = output('4', { id: 'w', inputs: ['1'], outputs: 2 });
  expect(live(lost, withBatches(segment('2'), 'a', 5), merged)).toEqual(['1']);
  const partly = planAdoption([withBatches(segment('1'), 'a', 5, 9), withBatches(segment('2'), 'a', 5, 6)]);
  expect([partly.live.length, partly.doubtful.map(({ id }) => id)]).toEqual([2, ['1', '2']]);
});

test('an attempt that died, whose inputs others have taken the place of and that are gone, does not count', () => {
  const dead = output('4', { id: 'v', inputs: ['1', '2'] });
  const next = output('6', { id: 'x', inputs: ['5'], replaced: before('1', '2') });
  const after = output('7', { id: 'y', inputs: ['6'], replaced: before('5', '1', '2') });
  expect(live(dead, next, after)).toEqual(['7']);
  // What is left of a work whose other output was merged on is no dead attempt.
  const left = output('4', { id: 'v', inputs: ['1', '2'], outputs: 2 });
  expect(live(left, next, after)).toEqual(['4', '7']);
});

test('an object that cannot be read proves no commit: what was made of it does not take the place of the others', () => {
  const half = output('4', { id: 'w', inputs: ['1', '2', '3'], outputs: 2 });
  const plan = planAdoption([segment('1'), segment('2'), half], ['3']);
  expect(plan.live.map(({ id }) => id)).toEqual(['1', '2']);
});

test('a segment of which one batch is in a block that is sure to count was never committed, and its others are not known', () => {
  const dead = withBatches(segment('1'), 'a', 5, 9);
  for (const sure of [
    { ...withBatches(segment('2'), 'a', 5), isKnown: true },
    withBatches(output('4', { id: 'w', inputs: ['2'] }), 'a', 5),
  ]) {
    const plan = planAdoption([dead, sure]);
    expect(plan.live.map(({ id }) => id)).toEqual([sure.entry.id]);
    expect([plan.doubtful, [...plan.neverCommitted]]).toEqual([[], ['1']]);
  }
});

test('a rollup of what was merged on as not rolled up was never committed', () => {
  const dead = output('3', { id: 'v', inputs: ['1', '2'], beside: true });
  const merged = output('4', { id: 'w', inputs: ['1', '2'] });
  const rollup = output('5', { id: 'x', inputs: ['4'], beside: true, replaced: before('1', '2') });
  expect(live(segment('1'), segment('2'), dead, merged, rollup)).toEqual(['4', '5']);
  expect(live(dead, merged, rollup)).toEqual(['4', '5']);
  // Merged further meanwhile.
  const day = output('6', { id: 'y', inputs: ['4'], replaced: before('1', '2') });
  expect(live(dead, day)).toEqual(['6']);
  // It was rolled up when it was merged: then this is its rollup.
  const known = {
    ...merged,
    origin: { ...merged.origin!, place: { ...WHOLE, level: 1, rolledUp: true } },
  };
  expect(live(dead, known)).toEqual(['3', '4']);
});

test('what was erased does not come back with a merge that died, whether the erasure has left something or nothing', () => {
  const erasure = output('4', { id: 'e', inputs: ['1'] });
  const dead = output('5', { id: 'm', inputs: ['1', '2'] });
  expect(live(segment('1'), segment('2'), erasure, dead)).toEqual(['2', '4']);
  const plan = planAdoption([segment('1'), segment('2'), dead], [], ['1', '0']);
  expect(plan.live.map(({ id }) => id)).toEqual(['2']);
  expect([...plan.replacedIds].toSorted()).toEqual(['0', '1', '5']);
  // A merge that alone tells where an input has gone was committed before: the erasure was refused.
  expect(live(dead, erasure)).toEqual(['5']);
});

test('blocks without origins, by the thousands: each is in its hour', () => {
  const blocks: FoundBlock[] = [];
  for (let hour = 0; hour < 60; hour++) {
    const startMs = hour * 3_600_000 + 1;
    for (let part = 0; part < 100; part++)
      blocks.push(old(`${hour}-${part}`, 1n, startMs + part * 1000, startMs + part * 1000 + 900));
    blocks.push(old(`${hour}-whole`, 100n, startMs, startMs + 99_900, 100));
  }
  const plan = planAdoption(blocks);
  expect(plan.live).toHaveLength(60);
  expect(plan.live.every(({ rows }) => rows === 100)).toBe(true);
});
