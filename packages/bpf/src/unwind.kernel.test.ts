import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { STACK_ENDS } from './collection.ts';
import { Load, sampleUntil } from './testing/load.ts';
import { chainIn, countOf, type RecordedSample, type Recording } from './testing/recording.ts';
import { countEnds, describeEnds, isPending } from './testing/stack-ends.ts';
import { Symbols } from './testing/symbols.ts';

const ENOUGH = 50;
const TIMEOUT_MS = 60_000;
const COMPLETE = 0.999;

const circle = '_ZN12_GLOBAL__N_16Circle4drawEi';
const square = '_ZN12_GLOBAL__N_16Square4drawEi';
const levels = '(;descend){1,61}';

/** What the stacks of a stage look like: every one that is in the stage at all, and one that must be there. */
const STAGES: Record<string, { every: RegExp; one: RegExp }> = {
  recursion: {
    every: new RegExp(`^_start;main;recursion(${levels})?(;burn)?$`),
    one: /^_start;main;recursion(;descend){61};burn$/,
  },
  threads: {
    every: new RegExp(`^[^;]*in_thread[^;]*;recursion(${levels})?(;burn)?$`),
    one: /^[^;]*in_thread[^;]*;recursion(;descend){61};burn$/,
  },
  allocas: { every: /^_start;main;allocas(;with_alloca(;burn)?)?$/, one: /;with_alloca;burn$/ },
  aligned: { every: /^_start;main;aligned(;burn)?$/, one: /;aligned;burn$/ },
  large_frame: { every: /^_start;main;large_frame(;burn)?$/, one: /;large_frame;burn$/ },
  exceptions: {
    every: /^_start;main;exceptions((;throwing){1,11}|;burn)?$/,
    one: /;exceptions;throwing;throwing/,
  },
  signals: {
    every: /^_start;main;signals(;interrupted)?(;[^;]*on_signal[^;]*(;in_handler(;burn)?)?)?$/,
    one: /^_start;main;signals;interrupted;[^;]*on_signal[^;]*;in_handler;burn$/,
  },
  sorting: { every: /^_start;main;sorting(;compare)?$/, one: /;sorting;compare$/ },
  linked: {
    every: /^_start;main;linked(;linked_call(;in_library(;burn)?)?)?$/,
    one: /^_start;main;linked;linked_call;in_library;burn$/,
  },
  opened: {
    every: /^_start;main;opened(;opened_call(;in_library(;burn)?)?)?$/,
    one: /^_start;main;opened;opened_call;in_library;burn$/,
  },
  vforking: { every: /^_start;main;vforking$/, one: /^_start;main;vforking$/ },
  virtuals: {
    every: new RegExp(`^_start;main;virtuals(;(${circle}|${square})){0,16}(;burn)?$`),
    one: new RegExp(`^_start;main;virtuals(;${circle};${square}){8};burn$`),
  },
  clock_reading: { every: /^_start;main;clock_reading$/, one: /;clock_reading$/ },
  system_calls: { every: /^_start;main;system_calls$/, one: /;system_calls$/ },
};

let directory = '';
let program = '';
let library = '';
const load = new Load();

beforeAll(() => {
  directory = mkdtempSync(`${tmpdir()}/fleetflame-unwind-`);
  program = `${directory}/native`;
  library = `${directory}/libnative.so`;
  const options = ['-O2', '-fomit-frame-pointer', '-Wall', '-Werror'];
  const run = (compiler: string, ...args: string[]): void =>
    void execFileSync(compiler, [...options, ...args], { stdio: 'inherit' });
  run('gcc', '-shared', '-fPIC', sourceOf('native-library.c'), '-o', library);
  run('g++', sourceOf('native.cc'), '-o', program, library, `-Wl,-rpath,${directory}`, '-pthread', '-ldl');
}, TIMEOUT_MS);

afterAll(() => {
  load.end();
  rmSync(directory, { recursive: true });
});

function sourceOf(name: string): string {
  return fileURLToPath(new URL(`testing/programs/${name}`, import.meta.url));
}

function usable(samples: readonly RecordedSample[]): RecordedSample[] {
  return samples.filter((sample) => !isPending(sample) && STACK_ENDS[sample.end] !== 'none');
}

describe.each([
  ['the loop of the kernel', true],
  ['the bounded loop of older kernels', false],
])('programs without frame pointers, with %s', (name, bpfLoop) => {
  it('have exact and complete stacks', { timeout: TIMEOUT_MS }, async () => {
    const pids = new Map(Object.keys(STAGES).map((stage) => [stage, load.start(program, stage, library)]));
    const symbols = new Map([program, library].map((path) => [path, new Symbols(path)]));
    const chainsOf = (recording: Recording, stage: string): string[] => {
      const marker = stage === 'threads' ? 'recursion' : stage;
      return usable(recording.family(pids.get(stage) ?? -1))
        .filter(({ end }) => STACK_ENDS[end] === 'complete')
        .map((sample) => chainIn(sample, symbols))
        .filter((chain) => chain.split(';').includes(marker));
    };
    const { recording } = await sampleUntil(
      { frequencyHz: 199, bpfLoop },
      (soFar) => [...pids.values()].every((pid) => countOf(usable(soFar.family(pid))) > ENOUGH),
      TIMEOUT_MS,
    );
    load.end();
    const all: RecordedSample[] = [];
    const lines: string[] = [];
    for (const [stage, { every, one }] of Object.entries(STAGES)) {
      const samples = recording.family(pids.get(stage) ?? -1);
      all.push(...samples);
      lines.push(describeEnds(stage, countEnds(samples)));
      const chains = chainsOf(recording, stage);
      expect(chains.length, stage).toBeGreaterThan(0);
      expect(
        chains.filter((chain) => !every.test(chain)),
        stage,
      ).toEqual([]);
      expect(chains.filter((chain) => one.test(chain)).length, stage).toBeGreaterThan(0);
    }
    const total = countEnds(all);
    process.stdout.write(`${name}:\n${[...lines, describeEnds('all', total)].join('\n')}\n`);
    expect(total.complete / total.samples).toBeGreaterThanOrEqual(COMPLETE);
    const vdso = usable(recording.of(pids.get('clock_reading') ?? -1)).filter(({ frames }) =>
      frames.some(({ binary }) => binary === '[vdso]'),
    );
    expect(countOf(vdso)).toBeGreaterThan(0);
  });
});

it('a handler that is about to begin has the stack of the call that the signal interrupted', async () => {
  const handled = `${directory}/handled`;
  execFileSync('gcc', ['-O2', '-fomit-frame-pointer', '-Wall', sourceOf('handled.c'), '-o', handled]);
  const pid = load.start(handled);
  const symbols = new Map([[handled, new Symbols(handled)]]);
  const beginning = (recording: Recording): RecordedSample[] =>
    usable(recording.of(pid)).filter(
      (sample) => sample.frames[0]?.binary === '[kernel]' && chainIn(sample, symbols).includes('on_signal'),
    );
  const { recording } = await sampleUntil(
    { frequencyHz: 999 },
    (soFar) => countOf(beginning(soFar)) > ENOUGH,
    TIMEOUT_MS,
  );
  load.end();
  const samples = usable(recording.of(pid));
  expect(samples.filter(({ end }) => STACK_ENDS[end] !== 'complete')).toEqual([]);
  for (const sample of beginning(recording)) {
    expect(chainIn(sample, symbols)).toMatch(/^_start;main;send;on_signal$/);
  }
});
