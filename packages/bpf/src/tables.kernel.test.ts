import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { STACK_ENDS, STACK_FRAME_POINTERS } from './collection.ts';
import { Load, sampleUntil } from './testing/load.ts';
import { compileProgram } from './testing/compile.ts';
import { countOf } from './testing/recording.ts';
import { countEnds } from './testing/stack-ends.ts';

const TIMEOUT_MS = 60_000;

let directory = '';
let deep = '';
const load = new Load();

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-tables-`);
  deep = compileProgram('deep', directory);
});

afterAll(() => {
  load.end();
  rmSync(directory, { recursive: true });
});

it(
  'keeps tables within their budget, and walks what has none by frame pointers',
  async () => {
    const tableBytes = 64 << 10;
    const pid = load.start(deep, '20');
    const { recording, stats } = await sampleUntil(
      { frequencyHz: 99, tableBytes },
      (soFar) => countEnds(soFar.of(pid)).samples > 50,
      TIMEOUT_MS,
    );
    load.end();
    expect(stats.tableBytes).toBeLessThanOrEqual(tableBytes);
    // The C library's is larger.
    expect(stats.refusedTablesBudget).toBeGreaterThan(0);
    const ends = countEnds(recording.of(pid));
    expect(ends.complete + (ends.others.get('table_refused') ?? 0)).toBe(ends.samples);
  },
  TIMEOUT_MS,
);

it(
  'unwinds by frame pointers alone when there is no budget',
  async () => {
    const pid = load.start(deep, '20');
    const { recording, stats } = await sampleUntil(
      { frequencyHz: 99, tableBytes: 0 },
      (soFar) => countOf(soFar.of(pid)) > 50,
      TIMEOUT_MS,
    );
    load.end();
    expect(stats.tables).toBe(0);
    const walked = recording.of(pid).filter(({ flags }) => (flags & STACK_FRAME_POINTERS) !== 0);
    expect(countOf(walked)).toBeGreaterThan(0.9 * countOf(recording.of(pid)));
    expect(walked.filter(({ end }) => STACK_ENDS[end] === 'complete')).toEqual([]);
  },
  TIMEOUT_MS,
);

it(
  'finds the tables of the last run on disk',
  async () => {
    const tableCache = mkdtempSync(`${directory}/cache-`);
    const run = async (): Promise<number> => {
      const pid = load.start(deep, '20');
      const { stats } = await sampleUntil(
        { frequencyHz: 99, tableCache },
        (soFar) => countEnds(soFar.of(pid)).complete > 10,
        TIMEOUT_MS,
      );
      load.end();
      return stats.tablesFromCache;
    };
    expect(await run()).toBe(0);
    expect(readdirSync(tableCache).length).toBeGreaterThan(0);
    expect(await run()).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
