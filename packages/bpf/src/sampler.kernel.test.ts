import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { STACK_TRUNCATED } from './collection.ts';
import { Sampler, type SamplerOptions } from './sampler.ts';
import type { SamplerStats } from './sampler-stats.ts';
import { compileProgram } from './testing/compile.ts';
import { chainOf, countOf, cpuSecondsOf, Recording, type RecordedSample } from './testing/recording.ts';
import { isPending } from './testing/stack-ends.ts';
import { Symbols } from './testing/symbols.ts';

const MAX_USER_FRAMES = 127;
/** Fast enough that seconds give shares that are hardly a matter of chance. */
const HZ = 999;
const ENOUGH = 4 * HZ;
/** Less than the limit of a test. */
const GIVE_UP_MS = 110_000;
/** A right sampler is further off than that once in 15,000 times. */
const DEVIATIONS = 4;

let directory = '';
let shares = '';
let deep = '';
const children: ChildProcess[] = [];

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-bpf-`);
  shares = compileProgram('shares', directory);
  deep = compileProgram('deep', directory);
});

afterAll(() => rmSync(directory, { recursive: true }));

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(file: string, ...args: string[]): ChildProcess & { pid: number } {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  if (child.pid === undefined) throw new Error(`${file} did not start`);
  return Object.assign(child, { pid: child.pid });
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Samples while `work` runs; everything is in the recording afterwards. */
async function record(
  options: SamplerOptions,
  work: (collect: () => Recording, stats: () => SamplerStats) => Promise<void>,
): Promise<{ recording: Recording; stats: SamplerStats }> {
  const recording = new Recording();
  const sampler = new Sampler(options);
  try {
    // The processes that are there already have been read.
    await until(() => sampler.stats().drains > 0);
    await work(
      () => {
        recording.add(sampler.collect());
        return recording;
      },
      () => sampler.stats(),
    );
  } finally {
    sampler.close();
  }
  recording.add(sampler.collect());
  return { recording, stats: sampler.stats() };
}

function expectBalanced(stats: SamplerStats): void {
  const { idle, outside, excluded, samples, lostRingFull, lostTableFull } = stats;
  expect(idle + outside + excluded + samples + lostRingFull + lostTableFull).toBe(stats.interrupts);
}

/** What came after its mappings were read, which on a busy host takes a while. */
function settledOf(recording: Recording, pid: number): RecordedSample[] {
  return recording.of(pid).filter((sample) => !isPending(sample));
}

async function until(condition: () => boolean): Promise<void> {
  const giveUpMs = Date.now() + GIVE_UP_MS;
  while (!condition()) {
    if (Date.now() > giveUpMs) throw new Error(`the condition did not come true in ${GIVE_UP_MS} ms`);
    await delay(100);
  }
}

describe.each([
  ['the loop of the kernel', true],
  ['the bounded loop of older kernels', false],
])('with %s', (_name, bpfLoop) => {
  it('finds the call chains, the shares and the CPU time of a program', async () => {
    let pid = 0;
    let cpuSeconds = 0;
    const startedMs = Date.now();
    const { recording, stats } = await record({ frequencyHz: HZ, bpfLoop }, async (collect) => {
      // First in line: a program that is interrupted often by others has its CPU time in pieces that are
      // shorter than the time between two samples, and then the count is a matter of chance.
      pid = start('nice', '-n', '-20', shares).pid;
      await until(() => countOf(settledOf(collect(), pid)) > ENOUGH);
      process.kill(pid, 'SIGSTOP');
      cpuSeconds = cpuSecondsOf(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    });
    const samples = recording.of(pid).filter(({ comm }) => comm === 'shares');
    const total = countOf(samples);
    const settled = settledOf(recording, pid).filter(({ comm }) => comm === 'shares');
    const symbols = new Symbols(shares);
    const chain = (name: string): number =>
      countOf(settled.filter((sample) => chainOf(sample, shares, symbols) === `main;run;${name};burn`));

    // Should the samples fall by chance: whom a tick meets, and where.
    const tolerance = Math.max(0.1, 0.05 * cpuSeconds, (DEVIATIONS * Math.sqrt(total)) / HZ);
    expect(Math.abs(total / HZ - cpuSeconds)).toBeLessThan(tolerance);
    for (const [name, share] of [
      ['alpha', 0.6],
      ['beta', 0.3],
      ['gamma_', 0.1],
    ] as const) {
      const deviation = Math.sqrt((share * (1 - share)) / countOf(settled));
      const off = Math.abs(chain(name) / countOf(settled) - share);
      expect(off, `${name}: ${chain(name)} of ${countOf(settled)} of ${total}`).toBeLessThan(
        DEVIATIONS * deviation,
      );
    }
    for (const { timeMs } of samples) {
      expect(timeMs % 1000).toBe(0);
      expect(timeMs).toBeGreaterThan(startedMs - 1000);
      expect(timeMs).toBeLessThanOrEqual(Date.now());
    }
    expectBalanced(stats);
    expect(stats.lostRingFull + stats.lostTableFull + stats.lostProcessRecords).toBe(0);
  });

  it('cuts a deep stack at the limit and says so', async () => {
    let pid = 0;
    const { recording, stats } = await record({ frequencyHz: 199, bpfLoop }, async (collect) => {
      pid = start(deep, '300').pid;
      await until(() => countOf(collect().of(pid)) > 50);
    });
    // Before its exec the process has the stack of this one, which may be deep too.
    const cut = recording
      .of(pid)
      .filter(({ comm, flags }) => comm === 'deep' && (flags & STACK_TRUNCATED) !== 0);
    expect(countOf(cut)).toBeGreaterThan(40);
    for (const { frames } of cut) {
      expect(frames.filter(({ binary }) => binary !== '[kernel]')).toHaveLength(MAX_USER_FRAMES);
      // All but those of the start code, when the sample was taken one frame beyond the limit.
      expect(frames.filter(({ binary }) => binary === deep).length).toBeGreaterThan(MAX_USER_FRAMES - 3);
    }
    expect(stats.stackTruncated).toBeGreaterThanOrEqual(countOf(cut));
  });
});

it('reports the build id of a program as its note has it', async () => {
  let pid = 0;
  const { recording } = await record({ frequencyHz: 99 }, async (collect) => {
    pid = start(shares).pid;
    await until(() => collect().of(pid).length > 0);
  });
  const notes = execFileSync('readelf', ['--notes', shares], { encoding: 'utf8' });
  const buildId = /Build ID: ([0-9a-f]+)/.exec(notes)?.[1];
  const binary = [...recording.binaries.values()].filter(({ path }) => path === shares);
  expect(binary.map((event) => event.buildId)).toEqual([buildId]);
});

it('samples processes that were there before, with their names and binaries', async () => {
  const child = start(shares);
  await until(() => cpuSecondsOf(readFileSync(`/proc/${child.pid}/stat`, 'utf8')) > 0.05);
  const { recording } = await record({ frequencyHz: 99 }, async (collect) => {
    await until(
      () =>
        countOf(
          collect()
            .of(child.pid)
            .filter((sample) => !isPending(sample)),
        ) > 20,
    );
  });
  expect(recording.events(child.pid)).toEqual([
    expect.objectContaining({
      kind: 'start',
      existing: true,
      executable: shares,
      comm: 'shares',
      parentPid: process.pid,
    }),
  ]);
  const symbols = new Symbols(shares);
  const settled = settledOf(recording, child.pid);
  const whole = settled.filter((sample) => chainOf(sample, shares, symbols).startsWith('main;run;'));
  expect(countOf(whole)).toBeGreaterThan(0.95 * countOf(settled));
});

it('sees every one of a hundred short-lived processes start, become a program and end', async () => {
  let shell = 0;
  const { recording, stats } = await record({ frequencyHz: 99 }, async (collect) => {
    const child = start('/bin/sh', '-c', 'i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done; exit 0');
    shell = child.pid;
    await once(child, 'exit');
    await until(() =>
      collect()
        .events(shell)
        .some(({ kind }) => kind === 'exit'),
    );
  });
  const pids = recording.processes
    .filter(({ kind, parentPid }) => kind === 'start' && parentPid === shell)
    .map(({ pid }) => pid);
  expect(pids).toHaveLength(100);
  for (const pid of pids) {
    const events = recording.events(pid);
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'exec', 'exit']);
    expect(events[1]).toMatchObject({ comm: 'true', existing: false });
    expect(events[1]?.executable).toMatch(/\/true$/);
    expect(events[1]?.timeNs).toBeGreaterThan(events[0]?.timeNs ?? Infinity);
  }
  expect(stats.lostProcessRecords).toBe(0);
});

it('follows a process through a late library, a fork and an exec', async () => {
  const program = compileProgram('stages', directory, ['-ldl']);
  const library = compileProgram('stages-library', directory, ['-shared', '-fPIC']);
  let pid = 0;
  let childPid = 0;
  const { recording } = await record({ frequencyHz: 99 }, async (collect) => {
    const child = start(program, library);
    pid = child.pid;
    child.stdout?.on('data', (data: Buffer) => (childPid = Number(data.toString())));
    const symbols = new Symbols(program);
    await until(() =>
      collect()
        .of(pid)
        .some((sample) => chainOf(sample, program, symbols).includes('after_exec')),
    );
    await end(child);
    await until(() =>
      collect()
        .events(pid)
        .some(({ kind }) => kind === 'exit'),
    );
  });
  const chains = (of: number, path: string, name: string): number => {
    const symbols = new Symbols(path);
    return countOf(recording.of(of).filter((sample) => chainOf(sample, path, symbols).endsWith(name)));
  };
  expect(chains(pid, library, 'in_library')).toBeGreaterThan(40);
  expect(chains(childPid, program, 'main;in_child')).toBeGreaterThan(20);
  expect(chains(pid, program, 'main;after_exec')).toBeGreaterThan(0);
  expect(recording.events(childPid)[0]).toMatchObject({ kind: 'start', parentPid: pid, executable: program });
  expect(recording.events(pid).map(({ kind }) => kind)).toEqual(['start', 'exec', 'exec', 'exit']);
  expect(recording.events(pid).slice(1, 3)).toEqual([
    expect.objectContaining({ comm: 'stages', executable: program }),
    expect.objectContaining({ comm: 'exe', executable: program }),
  ]);
});

it('separates kernel frames from the frames of the program that called the kernel', async () => {
  let pid = 0;
  const { recording } = await record({ frequencyHz: 199 }, async (collect) => {
    pid = start('/bin/dd', 'if=/dev/zero', 'of=/dev/null', 'bs=4M').pid;
    await until(() => countOf(collect().of(pid)) > 100);
  });
  const inKernel = recording.of(pid).filter(({ frames }) => frames[0]?.binary === '[kernel]');
  expect(countOf(inKernel)).toBeGreaterThan(0.5 * countOf(recording.of(pid)));
  for (const { frames } of inKernel) {
    const firstUser = frames.findIndex(({ binary }) => binary !== '[kernel]');
    // Kernel frames come first and together; the address of the first is exact.
    expect(
      frames.slice(firstUser === -1 ? frames.length : firstUser).every(({ binary }) => binary !== '[kernel]'),
    ).toBe(true);
    expect(frames[0]?.isReturn).toBe(false);
    expect(frames.slice(1, firstUser).every(({ isReturn }) => isReturn)).toBe(true);
    expect(frames[0]?.address).toBeGreaterThan(1n << 63n);
  }
  // A syscall instruction was the last one that ran in user space.
  const returning = inKernel.filter(
    ({ frames }) => frames.find(({ binary }) => binary !== '[kernel]')?.isReturn === true,
  );
  expect(countOf(returning)).toBeGreaterThan(0.8 * countOf(inKernel));
});

it('counts what a full fold table turned away, and goes on after a collect', async () => {
  const { stats, recording } = await record({ frequencyHz: 999, maxRows: 16 }, async (collect, now) => {
    start(deep, '40');
    await until(() => now().lostTableFull > 100);
    const before = countOf(collect().samples);
    await until(() => countOf(collect().samples) > before);
  });
  expect(stats.lostTableFull).toBeGreaterThan(100);
  expect(stats.samples).toBe(countOf(recording.samples));
  expectBalanced(stats);
});

it('counts what a full ring turned away', async () => {
  const { stats, recording } = await record({ frequencyHz: 1000, ringBytes: 4096 }, async (_collect, now) => {
    start(deep, '120');
    start(deep, '120');
    await until(() => now().lostRingFull > 0);
  });
  expect(stats.lostRingFull).toBeGreaterThan(0);
  expect(stats.samples).toBe(countOf(recording.samples));
  expectBalanced(stats);
});

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

function threads(): number {
  return readdirSync('/proc/self/task').length;
}

function openAndClose(): void {
  const sampler = new Sampler({ frequencyHz: 19 });
  sampler.collect();
  sampler.close();
  sampler.close();
  sampler.collect();
}

it('gives everything back when it is closed, a hundred times over', () => {
  for (let i = 0; i < 20; i++) openAndClose();
  const before = { files: openFiles(), threads: threads(), rss: process.memoryUsage.rss() };
  for (let i = 0; i < 100; i++) openAndClose();
  expect(openFiles()).toBe(before.files);
  expect(threads()).toBe(before.threads);
  // A leaked ring alone would be 256 KiB and more each time.
  expect(process.memoryUsage.rss() - before.rss).toBeLessThan(20 << 20);
});

it.each([
  [{ frequencyHz: 0 }, 'frequencyHz is 0: it has to be an integer from 1 to 1000'],
  [{ frequencyHz: 1001 }, 'frequencyHz is 1001: it has to be an integer from 1 to 1000'],
  [{ frequencyHz: 19, ringBytes: 5000 }, 'ringBytes is 5000: it has to be a power of two'],
  [{ frequencyHz: 19, maxRows: 0 }, 'maxRows is 0: it has to be an integer from 1 to 1048576'],
])('refuses %j with a sentence', (options, message) => {
  expect(() => new Sampler(options)).toThrow(expect.objectContaining({ code: 'invalid_input', message }));
});

it('says what to do when it may not load BPF programs', () => {
  const script = `
    const { Sampler } = await import(${JSON.stringify(new URL('index.ts', import.meta.url).href)});
    try { new Sampler({ frequencyHz: 19 }); } catch (error) { process.stdout.write(error.code + ': ' + error.message); }`;
  const unprivileged = 65_534;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    uid: unprivileged,
    gid: unprivileged,
    encoding: 'utf8',
  });
  expect(output).toMatch(/^not_permitted: .*run as root or with CAP_BPF and CAP_PERFMON$/);
});
