/**
 * Runs our sampler and perf beside each other on the same programs, and asks whether both saw the same stacks in the
 * same shares. See README.md, whose results it rewrites with --write.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Sampler, STACK_ENDS } from '@fleetflame/bpf';
import { isPending, Load, readPerfScript, Recording, Symbols } from '@fleetflame/bpf/testing';

import { describeMachine } from '../overhead/machine.ts';
import { PROGRAMS } from './programs.ts';
import { writeResults } from './results.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '20' },
    frequency: { type: 'string', default: '499' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const USAGE = `./fleetflame bench stacks/live-shares [--seconds 20] [--frequency 499] [--write] [NAME ...]

Samples each program with our sampler and with perf record --call-graph dwarf at once, and compares the shares of
their stacks by functions. As root, with linux-perf.`;

/** Until tables are in place. */
const WARM_UP_MS = 4000;
const PERMUTATIONS = 500;
const STACK_BYTES = 32_768;

/** Has a frame of 100 kB: perf's copy of the stack ends in it, which is said in the README. */
const BEYOND_PERF = ':large_frame';

const files = new Map<string, Symbols | undefined>();

function symbolsOf(path: string): Symbols | undefined {
  if (!files.has(path)) files.set(path, existsSync(path) ? new Symbols(path) : undefined);
  return files.get(path);
}

/** Of one frame: binary and function; code without a symbol is one per binary. */
function functionOf(binary: string, offset: bigint): string {
  const name = symbolsOf(binary)?.nameOf(offset) ?? '';
  return `${binary.slice(binary.lastIndexOf('/') + 1)}:${name}`;
}

function countsOf(stacks: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const stack of stacks) counts.set(stack, (counts.get(stack) ?? 0) + 1);
  return counts;
}

/** What two sets of stacks have in common: the sum over all stacks of the smaller share. */
function overlap(a: readonly string[], b: readonly string[]): number {
  const counts = countsOf(a);
  let common = 0;
  for (const [stack, count] of countsOf(b)) {
    common += Math.min((counts.get(stack) ?? 0) / a.length, count / b.length);
  }
  return common;
}

/** How often a random division of all stacks has less in common than these two sets have. */
function permutationTest(
  ours: readonly string[],
  theirs: readonly string[],
): { typical: number; share: number } {
  const all = [...ours, ...theirs];
  const seen = overlap(ours, theirs);
  const overlaps: number[] = [];
  for (let i = 0; i < PERMUTATIONS; i++) {
    for (let at = all.length - 1; at > 0; at--) {
      const other = Math.floor(Math.random() * (at + 1));
      [all[at], all[other]] = [all[other]!, all[at]!];
    }
    overlaps.push(overlap(all.slice(0, ours.length), all.slice(ours.length)));
  }
  const sorted = overlaps.toSorted((a, b) => a - b);
  return {
    typical: sorted[PERMUTATIONS >> 1]!,
    share: overlaps.filter((value) => value <= seen).length / PERMUTATIONS,
  };
}

async function perfStacks(path: string): Promise<string[]> {
  const stacks: string[] = [];
  for await (const { frames } of readPerfScript(path)) {
    stacks.push(frames.map(({ binary, offset }) => functionOf(binary, offset)).join(';'));
  }
  return stacks;
}

if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const HEAD =
  '| program | our stacks | perf’s | different ones, ours and perf’s | in common | of random halves | as rare by chance |\n| --- | --- | --- | --- | --- | --- | --- |';
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const rows: string[] = [];
console.log(HEAD);
for (const program of PROGRAMS) {
  const chosen = positionals.length === 0 || positionals.some((part) => program.name.includes(part));
  if (!chosen || program.needs.some((path) => !existsSync(path))) continue;
  const directory = mkdtempSync(`${tmpdir()}/fleetflame-live-`);
  const load = new Load();
  const sampler = new Sampler({ frequencyHz: Number(values.frequency) });
  try {
    const pids = await program.start({ directory, load });
    await delay(WARM_UP_MS);
    const recording = new Recording();
    recording.add(sampler.collect());
    const before = recording.samples.length;
    const data = `${directory}/perf.data`;
    const event = ['-e', 'cpu-clock:u', '-F', values.frequency, '--call-graph', `dwarf,${STACK_BYTES}`];
    const target = ['-o', data, '-p', pids.join(','), '--', 'sleep', values.seconds];
    execFileSync('perf', ['record', '-q', ...event, ...target], { stdio: 'ignore' });
    sampler.close();
    recording.add(sampler.collect());
    const wanted = new Set(pids);
    const all = recording.samples.slice(before).flatMap((sample) => {
      const inUser = sample.frames.every(({ binary }) => binary !== '[kernel]');
      if (!wanted.has(sample.pid) || !inUser || isPending(sample) || STACK_ENDS[sample.end] === 'none')
        return [];
      const stack = sample.frames
        .map(({ binary, address, isReturn }) => functionOf(binary, isReturn ? address - 1n : address))
        .join(';');
      return Array.from({ length: sample.count }, () => stack);
    });
    const ours = all.filter((stack) => !stack.includes(BEYOND_PERF));
    const theirs = (await perfStacks(data)).filter((stack) => !stack.includes(BEYOND_PERF));
    const { typical, share } = permutationTest(ours, theirs);
    const line = `| ${[
      program.name,
      ours.length.toLocaleString('en'),
      theirs.length.toLocaleString('en'),
      `${countsOf(ours).size}, ${countsOf(theirs).size}`,
      percent(overlap(ours, theirs)),
      percent(typical),
      percent(share),
    ].join(' | ')} |`;
    rows.push(line);
    console.log(line);
  } finally {
    sampler.close();
    load.end();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
if (values.write)
  writeResults('live', [`${describeMachine()}; ${values.frequency} Hz:`, '', HEAD, ...rows].join('\n'));
