import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, expect, it } from 'vitest';
import { Sampler, type SamplerOptions } from './sampler.ts';
import { compileProgram } from './testing/compile.ts';
import { Load } from './testing/load.ts';

const TIMEOUT_MS = 120_000;
/** Samples of each run that the test waits for. */
const ENOUGH = 300;

const directory = mkdtempSync(`${tmpdir()}/fleetflame-accounting-`);
const load = new Load();
afterEach(() => load.end());
afterAll(() => rmSync(directory, { recursive: true }));

/** Every table, ring and map at the smallest size that works, so that each is full at once. */
const TINY: SamplerOptions = {
  frequencyHz: 999,
  ringBytes: 4096,
  maxRows: 40,
  maxMappings: 40,
  tableBytes: 64 << 10,
};

it(
  'accounts for every interrupt when everything is full, and when it is started again under load',
  async () => {
    const busy = compileProgram('filtered', directory);
    const deep = compileProgram('deep', directory);
    load.start(busy);
    load.start(busy, 'short');
    load.start(deep, '120');
    // Programs that start and end all the time: forks, execs, mappings and exits.
    load.start('/bin/sh', '-c', 'while :; do /bin/true; done');
    const totals: Record<string, number> = {};
    const runs = [
      // Too few for those that are looked for: all of them are unknown, and profiled.
      { bpfLoop: true, maxProcesses: 12 },
      { bpfLoop: true },
      { bpfLoop: false },
    ];
    for (const run of runs) {
      const filter = [{ action: 'skip', kind: 'exe', pattern: busy }] as const;
      const sampler = new Sampler({ ...TINY, ...run, filter });
      let rows = 0;
      let flip = false;
      const collect = (): void => {
        const { count } = sampler.collect();
        rows += count.reduce((sum, samples) => sum + samples, 0);
      };
      const giveUpMs = Date.now() + TIMEOUT_MS / 4;
      const isEnough = (): boolean => {
        const { samples, lostRingFull, lostTableFull, excluded } = sampler.stats();
        if (run.maxProcesses === undefined && excluded === 0) return false;
        return samples > 0 && samples + lostRingFull + lostTableFull > ENOUGH;
      };
      while (!isEnough() && Date.now() < giveUpMs) {
        await delay(700);
        collect();
        // A filter that changes all the time loses none either.
        flip = !flip;
        sampler.setFilter(flip ? [] : filter);
      }
      sampler.close();
      collect();
      const stats = sampler.stats();
      const { interrupts, idle, outside, excluded, lostRingFull, lostTableFull } = stats;
      expect(idle + outside + excluded + lostRingFull + lostTableFull + rows).toBe(interrupts);
      expect(stats.samples).toBe(rows);
      expect(stats.stackEnds.reduce((sum, samples) => sum + samples, 0)).toBe(rows);
      const { refusedProcesses, refusedUnwindProcesses } = stats;
      const seen = {
        rows,
        idle,
        excluded,
        lostRingFull,
        lostTableFull,
        refusedProcesses,
        refusedUnwindProcesses,
      };
      for (const [name, count] of Object.entries(seen)) totals[name] = (totals[name] ?? 0) + count;
    }
    process.stdout.write(`${JSON.stringify(totals)}\n`);
    // Each of them was at its limit, or this says little.
    const { rows, excluded, lostRingFull, lostTableFull, refusedProcesses, refusedUnwindProcesses } = totals;
    expect(
      Math.min(...[rows, excluded, lostRingFull, lostTableFull].map((count) => count ?? 0)),
    ).toBeGreaterThan(0);
    expect(Math.min(refusedProcesses ?? 0, refusedUnwindProcesses ?? 0)).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
