import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, renameSync, rmSync, statSync, truncateSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';

import { STACK_COMPLETE } from './collection.ts';
import { Sampler } from './sampler.ts';
import type { SamplerStats } from './sampler-stats.ts';
import { compileProgram } from './testing/compile.ts';
import { Load, sampleUntil } from './testing/load.ts';
import { chainOf, countOf, Recording, type RecordedSample } from './testing/recording.ts';
import { isPending } from './testing/stack-ends.ts';
import { Symbols } from './testing/symbols.ts';

const TIMEOUT_MS = 110_000;
/** bench/overhead/churn.ts runs 5,000 a minute. */
const SHORT_PROCESSES = 400;
const GIBIBYTE = 1024 ** 3;

let directory = '';
let shares = '';
let deep = '';
const load = new Load();

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-tracking-`);
  shares = compileProgram('shares', directory);
  deep = compileProgram('deep', directory);
});

afterEach(() => load.end());
afterAll(() => rmSync(directory, { recursive: true }));

function expectBalanced(stats: SamplerStats): void {
  const { idle, outside, excluded, samples, lostRingFull, lostTableFull } = stats;
  expect(idle + outside + excluded + samples + lostRingFull + lostTableFull).toBe(stats.interrupts);
}

const settled = (samples: readonly RecordedSample[]): RecordedSample[] =>
  samples.filter((sample) => !isPending(sample));

it(
  'keeps account of hundreds of processes that end at once, and keeps nothing of them',
  async () => {
    const many = compileProgram('many', directory);
    const sampler = new Sampler({ frequencyHz: 499 });
    const recording = new Recording();
    await vi.waitFor(() => expect(sampler.stats().drains).toBeGreaterThan(1), { timeout: 20_000 });
    const child = spawn(many, [String(SHORT_PROCESSES), '4', '4'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      let printed = '';
      child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
      await vi.waitFor(
        () => {
          recording.add(sampler.collect());
          expect(printed).toBe(`${SHORT_PROCESSES}\n`);
        },
        { timeout: TIMEOUT_MS, interval: 250 },
      );
      const parent = child.pid ?? 0;
      const started = (): number[] =>
        recording.processes
          .filter(({ kind, parentPid }) => kind === 'start' && parentPid === parent)
          .map(({ pid }) => pid);
      // Two seconds after its end a process is taken out of all tables, and then its exit is reported.
      await vi.waitFor(
        () => {
          recording.add(sampler.collect());
          const mine = new Set(started());
          const ended = recording.processes.filter(({ kind, pid }) => kind === 'exit' && mine.has(pid));
          expect(ended).toHaveLength(SHORT_PROCESSES);
        },
        { timeout: 20_000, interval: 250 },
      );
      expect(started()).toHaveLength(SHORT_PROCESSES);
      const pids = new Set(started());
      const execs = recording.processes.filter(({ kind, pid }) => kind === 'exec' && pids.has(pid));
      expect(new Set(execs.map(({ executable }) => executable))).toEqual(new Set([many]));
      expect(execs).toHaveLength(SHORT_PROCESSES);
      const stats = sampler.stats();
      expect([...pids].filter((pid) => countOf(recording.of(pid)) > 0).length).toBeGreaterThan(10);
      expect(stats.lostProcessRecords + stats.lostProcessEvents).toBe(0);
      expect(stats.refusedProcesses + stats.refusedMappings + stats.refusedUnwindProcesses).toBe(0);
      sampler.close();
      recording.add(sampler.collect());
      expect(sampler.stats().samples).toBe(countOf(recording.samples));
      expectBalanced(sampler.stats());
      // They end before their tables are in place: their stacks are kept, and walked by frame pointers.
      const symbols = new Symbols(many);
      const own = [...pids]
        .flatMap((pid) => recording.of(pid))
        .filter(({ frames }) => frames.some(({ binary }) => binary === many));
      // The function itself is passed over when the clock, which keeps no frame pointer, was called by it.
      const working = own.filter((sample) => chainOf(sample, many, symbols).startsWith('main'));
      expect(countOf(working)).toBeGreaterThan(0.8 * countOf(own));
    } finally {
      child.kill('SIGKILL');
      sampler.close();
    }
  },
  TIMEOUT_MS,
);

it(
  'unwinds and identifies programs whose file was replaced or removed while they run',
  async () => {
    const replaced = `${directory}/replaced`;
    const removed = `${directory}/removed`;
    for (const path of [replaced, removed]) copyFileSync(shares, path);
    const before = load.start(replaced);
    await vi.waitFor(() => expect(commandOf(before)).toBe('replaced'));
    // Before the sampler: /proc/PID/maps is all that tells.
    copyFileSync(deep, `${directory}/other`);
    renameSync(`${directory}/other`, replaced);
    const during = load.start(removed);
    await vi.waitFor(() => expect(commandOf(during)).toBe('removed'));
    unlinkSync(removed);
    const { recording } = await sampleUntil(
      { frequencyHz: 99 },
      (soFar) => [before, during].every((pid) => countOf(settled(soFar.of(pid))) > 40),
      TIMEOUT_MS,
    );
    const symbols = new Symbols(shares);
    const buildId = buildIdOf(shares);
    for (const pid of [before, during]) {
      const samples = settled(recording.of(pid));
      expect(countOf(samples.filter(({ flags }) => (flags & STACK_COMPLETE) !== 0))).toBe(countOf(samples));
      const [path] = new Set(
        samples
          .flatMap(({ frames }) => frames)
          .map(({ binary }) => binary)
          .filter((binary) => binary.startsWith(directory)),
      );
      const binary = [...recording.binaries.values()].find((event) => event.path === path);
      expect(binary?.buildId).toBe(buildId);
      const named = samples.filter((sample) => chainOf(sample, path ?? '', symbols).startsWith('main;run;'));
      expect(countOf(named)).toBeGreaterThan(0.9 * countOf(samples));
    }
  },
  TIMEOUT_MS,
);

it(
  'an executable of one gibibyte neither stops sampling nor swells memory',
  async () => {
    const huge = `${directory}/huge`;
    copyFileSync(shares, huge);
    truncateSync(huge, GIBIBYTE);
    // A binary of its own: without a build id by which it would be known already.
    execFileSync('objcopy', ['--remove-section=.note.gnu.build-id', shares, `${directory}/nameless`]);
    copyFileSync(`${directory}/nameless`, huge);
    truncateSync(huge, GIBIBYTE);
    expect(statSync(huge).size).toBe(GIBIBYTE);
    const residentBefore = process.memoryUsage.rss();
    const pid = load.start(huge);
    const { recording, stats } = await sampleUntil(
      { frequencyHz: 99 },
      (soFar) => countOf(settled(soFar.of(pid))) > 40,
      TIMEOUT_MS,
    );
    const samples = settled(recording.of(pid));
    expect(countOf(samples.filter(({ flags }) => (flags & STACK_COMPLETE) !== 0))).toBe(countOf(samples));
    expect(stats.lostRingFull + stats.lostTableFull).toBe(0);
    expectBalanced(stats);
    expect(process.memoryUsage.rss() - residentBefore).toBeLessThan(GIBIBYTE / 8);
  },
  TIMEOUT_MS,
);

function commandOf(pid: number): string {
  return execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' }).trim();
}

function buildIdOf(path: string): string | undefined {
  const notes = execFileSync('readelf', ['--notes', path], { encoding: 'utf8' });
  return /Build ID: ([0-9a-f]+)/.exec(notes)?.[1];
}
