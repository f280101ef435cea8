import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { newBlockId } from '../block-id.ts';
import { WHOLE, type BlockEntry } from '../catalog/block-entry.ts';
import { windowAt } from './levels.ts';
import { MERGE_INPUT_BYTES, MERGE_INPUT_POINTS, planCompaction, type CompactionJob } from './plan.ts';

const DAY = Date.UTC(2026, 10, 22);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function block(
  level: number,
  timeMinMs: number,
  timeMaxMs: number,
  fields: Partial<BlockEntry> = {},
): BlockEntry {
  const id = newBlockId(timeMaxMs);
  return {
    ...WHOLE,
    id,
    key: `blocks/${id}`,
    level,
    timeMinMs,
    timeMaxMs,
    sizeBytes: 1000,
    rows: 10,
    ...fields,
  };
}

const shape = (jobs: readonly CompactionJob[]) =>
  jobs.map((job) => ({
    kind: job.kind,
    level: job.window.level,
    start: (job.window.startMs - DAY) / MINUTE,
    inputs: job.kind === 'merge' ? job.inputs.length : 1,
  }));

test('a time lies in the widest window that is over', () => {
  const time = DAY + 10 * HOUR + 5 * MINUTE + 3;
  const at = (now: number) => {
    const { level, startMs, endMs } = windowAt(time, now);
    return [level, (startMs - DAY) / MINUTE, (endMs - DAY) / MINUTE];
  };
  expect(at(time)).toEqual([0, 605, 606]);
  expect(at(DAY + 10 * HOUR + 6 * MINUTE + 19_999)).toEqual([0, 605, 606]);
  expect(at(DAY + 10 * HOUR + 6 * MINUTE + 20_000)).toEqual([1, 605, 606]);
  expect(at(DAY + 10 * HOUR + 11 * MINUTE)).toEqual([2, 600, 610]);
  expect(at(DAY + 11 * HOUR + 3 * MINUTE)).toEqual([3, 600, 660]);
  expect(at(DAY + 12 * HOUR + 10 * MINUTE)).toEqual([4, 360, 720]);
  expect(at(DAY + 50 * HOUR - 1)).toEqual([4, 360, 720]);
  expect(at(DAY + 50 * HOUR)).toEqual([5, 0, 1440]);
});

test('segments of a minute that is over are merged, later ones wait', () => {
  const blocks = Array.from({ length: 12 }, (_, index) =>
    block(0, DAY + index * 10_000, DAY + index * 10_000 + 9_999),
  );
  expect(shape(planCompaction(blocks, DAY + MINUTE + 19_000))).toEqual([]);
  expect(shape(planCompaction(blocks, DAY + MINUTE + 20_000))).toEqual([
    { kind: 'merge', level: 1, start: 0, inputs: 6 },
  ]);
});

test('windows become wider windows, and late segments go straight to the widest', () => {
  const windows = (level: number, lengthMs: number, count: number) =>
    Array.from({ length: count }, (_, index) =>
      block(level, DAY + index * lengthMs, DAY + (index + 1) * lengthMs - 1),
    );
  expect(shape(planCompaction(windows(1, MINUTE, 10), DAY + 11 * MINUTE))).toEqual([
    { kind: 'merge', level: 2, start: 0, inputs: 10 },
  ]);
  expect(shape(planCompaction(windows(2, 10 * MINUTE, 6), DAY + HOUR + 3 * MINUTE))).toEqual([
    { kind: 'merge', level: 3, start: 0, inputs: 6 },
  ]);
  expect(shape(planCompaction(windows(3, HOUR, 6), DAY + 6 * HOUR + 10 * MINUTE))).toEqual([
    { kind: 'merge', level: 4, start: 0, inputs: 6 },
  ]);
  const late = block(0, DAY + 5 * HOUR, DAY + 5 * HOUR + 9_999);
  expect(shape(planCompaction([...windows(4, 6 * HOUR, 4), late], DAY + 50 * HOUR))).toEqual([
    { kind: 'merge', level: 5, start: 0, inputs: 5 },
  ]);
});

test('a block that is alone in its window moves up without being rewritten', () => {
  const inside = block(0, DAY, DAY + 9_999);
  const across = block(0, DAY + 3 * MINUTE - 5000, DAY + 3 * MINUTE + 4999);
  expect(shape(planCompaction([inside, across], DAY + 5 * MINUTE))).toEqual([
    { kind: 'relevel', level: 1, start: 0, inputs: 1 },
    { kind: 'merge', level: 1, start: 2, inputs: 1 },
  ]);
});

test('a merge is bounded in bytes: a large window becomes several blocks that are not merged again', () => {
  const sizeBytes = MERGE_INPUT_BYTES / 4;
  const blocks = Array.from({ length: 10 }, (_, index) =>
    block(1, DAY + index * MINUTE, DAY + index * MINUTE + 59_999, { sizeBytes }),
  );
  const jobs = planCompaction(blocks, DAY + 2 * HOUR);
  expect(jobs.map((job) => (job.kind === 'merge' ? job.inputs.length : 1))).toEqual([2, 4, 4]);
  const outputs = jobs.map(() => block(3, DAY, DAY + HOUR - 1, { sizeBytes: MERGE_INPUT_BYTES }));
  expect(planCompaction(outputs, DAY + 3 * HOUR)).toEqual([]);
});

test('a merge is bounded in points, which well-compressed blocks have many of', () => {
  const points = MERGE_INPUT_POINTS / 4;
  const blocks = Array.from({ length: 10 }, (_, index) =>
    block(1, DAY + index * MINUTE, DAY + index * MINUTE + 59_999, { points }),
  );
  const jobs = planCompaction(blocks, DAY + 2 * HOUR);
  expect(jobs.map((job) => (job.kind === 'merge' ? job.inputs.length : 1))).toEqual([2, 4, 4]);
  const outputs = jobs.map(() => block(3, DAY, DAY + HOUR - 1, { points: MERGE_INPUT_POINTS }));
  expect(planCompaction(outputs, DAY + 3 * HOUR)).toEqual([]);
});

test('late blocks of one window are merged when they are several of like size, or when it has gone quiet', () => {
  const now = DAY + 60 * HOUR;
  const large = block(5, DAY, DAY + 24 * HOUR - 1, { id: newBlockId(now), sizeBytes: 1_000_000 });
  const late = (count: number) =>
    Array.from({ length: count }, () => block(5, DAY + HOUR, DAY + 2 * HOUR, { id: newBlockId(now) }));
  expect(shape(planCompaction([large, ...late(3)], now))).toEqual([]);
  expect(shape(planCompaction([large, ...late(4)], now))).toEqual([
    { kind: 'merge', level: 5, start: 0, inputs: 4 },
  ]);
  expect(shape(planCompaction([large, ...late(1)], now + 11 * MINUTE))).toEqual([
    { kind: 'merge', level: 5, start: 0, inputs: 2 },
  ]);
  expect(shape(planCompaction([large], now + 11 * MINUTE))).toEqual([]);
});

test('small jobs come first', () => {
  const big = [0, 1].map((index) =>
    block(1, DAY + index * MINUTE, DAY + index * MINUTE + 1, { sizeBytes: 1e6 }),
  );
  const small = [0, 1].map((index) => block(0, DAY + 2 * HOUR + index, DAY + 2 * HOUR + index));
  expect(
    shape(planCompaction([...big, ...small], DAY + 2 * HOUR + 5 * MINUTE)).map((job) => job.level),
  ).toEqual([1, 3]);
});

test('a day of one host, at any time, is answered from a few dozen blocks, the last of it from few', () => {
  const ranges = [
    { lengthMs: 24 * HOUR, most: 0, sum: 0 },
    { lengthMs: HOUR, most: 0, sum: 0 },
  ];
  let live: BlockEntry[] = [];
  let rounds = 0;
  for (let now = DAY + 14_000; now < DAY + 75 * HOUR; now += 10_000) {
    // An agent's batch arrives a few seconds after it ends.
    live.push(block(0, now - 14_000, now - 4001));
    for (const job of planCompaction(live, now)) live = apply(job, live, now);
    if (now < DAY + 27 * HOUR) continue;
    rounds++;
    for (const range of ranges) {
      const asked = live.filter((entry) => entry.timeMaxMs >= now - range.lengthMs);
      range.most = Math.max(range.most, asked.length);
      range.sum += asked.length;
      // Only what is older than a day has been merged into days.
      expect(asked.every((entry) => entry.level < 5)).toBe(true);
    }
  }
  expect(ranges.map(({ most }) => most)).toEqual([29, 21]);
  expect(ranges.map(({ sum }) => Math.round(sum / rounds))).toEqual([19, 13]);
  expect(live.filter((entry) => entry.level === 5)).toHaveLength(2);
});

/** What a job leaves behind: every window of its inputs as one block. */
function apply(job: CompactionJob, live: readonly BlockEntry[], now: number): BlockEntry[] {
  if (job.kind === 'relevel') {
    return live.map((entry) => (entry === job.input ? { ...entry, level: job.window.level } : entry));
  }
  const outputs = new Map<number, BlockEntry>();
  for (const input of job.inputs) {
    for (let from = input.timeMinMs; from <= input.timeMaxMs;) {
      const window = windowAt(from, now);
      const to = Math.min(input.timeMaxMs, window.endMs - 1);
      const part = outputs.get(window.startMs) ?? block(window.level, from, to, { id: newBlockId(now) });
      const merged = { timeMinMs: Math.min(part.timeMinMs, from), timeMaxMs: Math.max(part.timeMaxMs, to) };
      outputs.set(window.startMs, { ...part, ...merged });
      from = window.endMs;
    }
  }
  return [...live.filter((entry) => !job.inputs.includes(entry)), ...outputs.values()];
}

test('a service too large for one block becomes several of its window, neighbours in time, and stays so', () => {
  const size = fc.record({
    sizeBytes: fc.integer({ min: 1000, max: 12 << 20 }),
    points: fc.integer({ min: 1, max: 6 << 20 }),
  });
  fc.assert(
    fc.property(
      fc.array(size, { minLength: 30, maxLength: 60 }),
      fc.double({ min: 0.3, max: 1, noNaN: true }),
      (sizes, kept) => {
        const nowMs = DAY + 2 * HOUR;
        let blocks = sizes.map((fields, i) => block(2, DAY + i * MINUTE, DAY + i * MINUTE + 59_999, fields));
        // Each round of jobs makes fewer blocks of the same hour.
        for (
          let jobs = planCompaction(blocks, nowMs);
          jobs.length > 0;
          jobs = planCompaction(blocks, nowMs)
        ) {
          const gone = new Set<BlockEntry>();
          for (const job of jobs) {
            const inputs = job.kind === 'merge' ? job.inputs : [job.input];
            const sum = (field: 'sizeBytes' | 'points') =>
              inputs.reduce((all, input) => all + input[field], 0);
            for (const input of inputs) {
              expect(gone.has(input)).toBe(false);
              gone.add(input);
            }
            // One that is alone only rises.
            const bound = inputs.length > 1 ? 1 : Infinity;
            expect(sum('sizeBytes')).toBeLessThanOrEqual(MERGE_INPUT_BYTES * bound);
            expect(sum('points')).toBeLessThanOrEqual(MERGE_INPUT_POINTS * bound);
            const times = [
              ...inputs.map(({ timeMinMs }) => timeMinMs),
              ...inputs.map(({ timeMaxMs }) => timeMaxMs),
            ];
            const fields = { sizeBytes: Math.ceil(sum('sizeBytes') * kept), points: sum('points') };
            blocks.push(block(job.window.level, Math.min(...times), Math.max(...times), fields));
          }
          const before = blocks.length - jobs.length;
          blocks = blocks.filter((one) => !gone.has(one));
          const rose = jobs.some((job) => job.window.level > 2 && [...gone].some(({ level }) => level === 2));
          expect(blocks.length < before || rose).toBe(true);
        }
        expect(blocks.every(({ level }) => level === 3)).toBe(true);
        expect(blocks.reduce((all, { points }) => all + points, 0)).toBe(
          sizes.reduce((all, { points }) => all + points, 0),
        );
      },
    ),
    { numRuns: 200 },
  );
});
