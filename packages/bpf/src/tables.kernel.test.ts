import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { STACK_ENDS, STACK_FRAME_POINTERS } from './collection.ts';
import type { RefusedTable } from './refused-table.ts';
import { Sampler } from './sampler.ts';
import { Load, sampleUntil } from './testing/load.ts';
import { compileProgram } from './testing/compile.ts';
import { countOf, Recording } from './testing/recording.ts';
import { systemBinaries } from './testing/system-binaries.ts';
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

function buildIdOf(path: string): string | undefined {
  const notes = execFileSync('readelf', ['--notes', path], { encoding: 'utf8' });
  return /Build ID: ([0-9a-f]+)/.exec(notes)?.[1];
}

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
  'a binary too large for the budget is named with its size, and takes no place from smaller ones',
  async () => {
    const tableBytes = 400 << 10;
    const busy = ['-e', 'for (;;);'];
    const big = [load.start(process.execPath, ...busy), load.start(process.execPath, ...busy)];
    const pid = load.start(deep, '20');
    const sampler = new Sampler({ frequencyHz: 99, tableBytes });
    const recording = new Recording();
    // Not by path: a copy elsewhere on this host is the same binary.
    const buildId = buildIdOf(process.execPath);
    const refusedNode = (): RefusedTable | undefined =>
      sampler.refusedTables().find(({ binary }) => recording.binaries.get(binary)?.buildId === buildId);
    await vi.waitFor(
      () => {
        recording.add(sampler.collect());
        expect(refusedNode()).toBeDefined();
        expect(countEnds(recording.of(pid)).samples).toBeGreaterThan(50);
        for (const node of big) expect(countOf(recording.of(node))).toBeGreaterThan(50);
      },
      { timeout: TIMEOUT_MS, interval: 200 },
    );
    const refused = refusedNode();
    const stats = sampler.stats();
    const memory = sampler.memory();
    load.end();
    sampler.close();
    // Four bytes a row, and the tree and the rules.
    expect(refused?.rows).toBeGreaterThan(300_000);
    expect(refused?.bytes).toBeGreaterThan(4 * (refused?.rows ?? 0));
    expect(refused?.bytes).toBeLessThan(5 * (refused?.rows ?? 0));
    expect(refused?.reason).toBe('budget');
    expect(stats.tableBytes).toBeLessThanOrEqual(tableBytes);
    expect(memory['unwind_tables']).toBeLessThanOrEqual(tableBytes);
    expect(memory['mappings']).toBeGreaterThan(0);
    // What else runs on this host may have taken the room of its C library, but nothing else ends its stacks.
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
  'a process with more binaries than wait at a time gets the tables of all of them',
  async () => {
    const MAX_WAITING = 256;
    const binaries = systemBinaries(['/usr/bin', '/usr/sbin']).slice(0, MAX_WAITING + 50);
    expect(binaries.length).toBeGreaterThan(MAX_WAITING);
    const child = spawn(compileProgram('map-all', directory), { stdio: ['pipe', 'ignore', 'inherit'] });
    child.stdin.end(binaries.map(({ path }) => `${path}\n`).join(''));
    const sampler = new Sampler({ frequencyHz: 99 });
    try {
      await vi.waitFor(
        () => {
          sampler.collect();
          const stats = sampler.stats();
          expect(stats.refusedTablesQueue).toBeGreaterThan(0);
          expect(stats.tablesBuilt + stats.tablesWithoutFrames).toBeGreaterThan(binaries.length);
        },
        { timeout: TIMEOUT_MS, interval: 250 },
      );
    } finally {
      child.kill('SIGKILL');
      sampler.close();
    }
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
