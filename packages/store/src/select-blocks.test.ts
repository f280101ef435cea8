import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { WHOLE, type BlockEntry } from './catalog/block-entry.ts';
import { selectBlocks, type SelectedBlock } from './select-blocks.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 1);
const FIVE = 5 * MINUTE;

/** A block as the catalog knows it, and the times of its samples, each worth 1. */
interface Filled {
  readonly entry: BlockEntry;
  readonly times: readonly number[];
}

let next = 0;
function filled(times: readonly number[], fields: Partial<BlockEntry> = {}): Filled {
  const id = `b${next++}`;
  const span = { timeMinMs: Math.min(...times), timeMaxMs: Math.max(...times) };
  return {
    entry: { ...WHOLE, id, key: id, level: 5, ...span, sizeBytes: 1, rows: 1, ...fields },
    times,
  };
}

/** As the compactor does: the coarser copies of a raw block, and its own mark. */
function chain(times: readonly number[], copies: number): Filled[] {
  const blocks: Filled[] = [];
  const resolutions = [0, FIVE, HOUR];
  for (let index = 0; index <= copies; index++) {
    const resolutionMs = resolutions[index]!;
    const cells =
      resolutionMs === 0 ? times : times.map((time) => Math.floor(time / resolutionMs) * resolutionMs);
    const droppedLabels = index === 0 ? [] : ['host_name'];
    blocks.push(filled(cells, { resolutionMs, rolledUp: index < copies, droppedLabels }));
  }
  return blocks;
}

function count(all: readonly Filled[], selected: readonly SelectedBlock[]): number {
  const byId = new Map(all.map((block) => [block.entry.id, block.times]));
  let sum = 0;
  for (const { id, range } of selected) {
    sum += byId.get(id)!.filter((time) => time >= range.fromMs && time < range.toMs).length;
  }
  return sum;
}

test('any blocks, rolled up or not, any range: every sample counts once, whatever it is read from', () => {
  const time = fc.integer({ min: 0, max: 4 * DAY }).map((offset) => START + offset);
  const block = fc.record({
    day: fc.integer({ min: 0, max: 3 }),
    offsets: fc.array(fc.integer({ min: 0, max: DAY - 1 }), { minLength: 1, maxLength: 8 }),
    copies: fc.integer({ min: 0, max: 2 }),
  });
  fc.assert(
    fc.property(fc.array(block, { maxLength: 12 }), time, time, fc.boolean(), (parts, a, b, host) => {
      const all = parts.flatMap(({ day, offsets, copies }) =>
        chain(
          offsets.map((offset) => START + day * DAY + offset),
          copies,
        ),
      );
      const range = { fromMs: Math.min(a, b), toMs: Math.max(a, b) };
      const needs = { labels: host ? ['host_name'] : ['service_name'] };
      const entries = all.map(({ entry }) => entry);
      const { blocks } = selectBlocks(entries, range, needs);
      const raw = all.filter(({ entry }) => entry.resolutionMs === 0);
      const truth = raw
        .flatMap(({ times }) => times)
        .filter((time) => time >= range.fromMs && time < range.toMs).length;
      expect(count(all, blocks)).toBe(truth);
      const coarse = blocks.filter((block) => block.resolutionMs > 0);
      expect(coarse).toHaveLength(host ? 0 : coarse.length);
    }),
    { numRuns: 500 },
  );
});

test('a month is read from rollups, with raw blocks only at its edges and where samples came late', () => {
  const day = (index: number) => Array.from({ length: 288 }, (_, at) => START + index * DAY + at * FIVE + 7);
  const all = Array.from({ length: 30 }, (_, index) => chain(day(index), 2)).flat();
  const late = filled([START + 10 * DAY]);
  const range = { fromMs: START + 90 * MINUTE + 1, toMs: START + 30 * DAY - 90 * MINUTE - 1 };
  const { blocks, tiers } = selectBlocks(
    [...all, late].map(({ entry }) => entry),
    range,
    {
      labels: ['service_name'],
    },
  );
  const of = (resolutionMs: number) => blocks.filter((block) => block.resolutionMs === resolutionMs);
  expect([of(HOUR).length, of(FIVE).length, of(0).length]).toEqual([30, 2, 3]);
  expect(tiers.map(({ range }) => [range.fromMs - START, START + 30 * DAY - range.toMs])).toEqual([
    [90 * MINUTE + 1, 90 * MINUTE + 1],
    [95 * MINUTE, 95 * MINUTE],
    [2 * HOUR, 2 * HOUR],
  ]);
  expect(count([...all, late], blocks)).toBe(30 * 288 - 36 + 1);
});

test('steps that are no multiples are answered from what is fine enough', () => {
  const all = chain(
    Array.from({ length: 288 }, (_, at) => START + at * FIVE),
    2,
  ).map(({ entry }) => entry);
  const resolutions = (fromMs: number, stepMs: number) =>
    selectBlocks(all, { fromMs, toMs: START + DAY }, { labels: [], stepMs }).blocks.map(
      (block) => block.resolutionMs,
    );
  expect(resolutions(START, HOUR)).toEqual([HOUR]);
  expect(resolutions(START, 10 * MINUTE)).toEqual([FIVE]);
  expect(resolutions(START, MINUTE)).toEqual([0]);
  expect(resolutions(START, 90 * MINUTE)).toEqual([FIVE]);
});

test('who wants to see every label is shown raw blocks', () => {
  const all = chain([START, START + 2 * HOUR], 2).map(({ entry }) => entry);
  const { blocks } = selectBlocks(all, { fromMs: START, toMs: START + DAY }, { labels: 'all' });
  expect(blocks.map((block) => block.resolutionMs)).toEqual([0]);
});
