/**
 * Samples programs under load and prints how their stacks end. See README.md, whose results it rewrites
 * with --write.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';

import { type SamplerStats, STACK_ENDS, STACK_FRAME_POINTERS } from '@fleetflame/bpf';
import {
  countEnds,
  countOf,
  type EndCounts,
  isPending,
  Load,
  type RecordedSample,
  sampleUntil,
} from '@fleetflame/bpf/testing';

import { describeMachine } from '../overhead/machine.ts';
import { Outermost } from './outermost.ts';
import { type Program, PROGRAMS } from './programs.ts';
import { writeResults } from './results.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    samples: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '90' },
    frequency: { type: 'string', default: '499' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const USAGE = `./fleetflame bench stacks [--samples 5000] [--seconds 90] [--frequency 499] [--write] [NAME ...]

Runs every program (or those whose name contains a NAME) until it has that many samples taken with tables in
place, or that many seconds have passed, and prints how its stacks end. As root. --write keeps the results in README.md.`;

const BPF_STATS = '/proc/sys/kernel/bpf_stats_enabled';
const SHOWN_OUTERMOST = 3;

interface Result {
  readonly name: string;
  readonly counts: EndCounts;
  readonly framePointers: number;
  readonly outermost: ReadonlyMap<string, number>;
  /** Innermost frame of the last binary, per reason, of the incomplete. */
  readonly stoppedAt: ReadonlyMap<string, number>;
  readonly bpfNs: number;
  /** Share of all samples that the program's were. */
  readonly own: number;
}

function add(map: Map<string, number>, key: string, count: number): void {
  map.set(key, (map.get(key) ?? 0) + count);
}

function summarize(
  name: string,
  samples: readonly RecordedSample[],
  stats: SamplerStats,
  all: number,
): Result {
  const outermost = new Map<string, number>();
  const stoppedAt = new Map<string, number>();
  const names = new Outermost();
  let framePointers = 0;
  for (const sample of samples) {
    const end = STACK_ENDS[sample.end] ?? 'none';
    const last = sample.frames.at(-1);
    if (end === 'none' || isPending(sample) || last === undefined) continue;
    if ((sample.flags & STACK_FRAME_POINTERS) !== 0) framePointers += sample.count;
    if (end === 'complete') add(outermost, names.nameOf(last), sample.count);
    else add(stoppedAt, `${end} in ${names.nameOf(last)}`, sample.count);
  }
  return {
    name,
    counts: countEnds(samples),
    framePointers,
    outermost,
    stoppedAt,
    bpfNs: stats.bpfRunTimeNs / Math.max(1, stats.interrupts - stats.idle),
    own: countOf(samples) / Math.max(1, all),
  };
}

async function run(program: Program): Promise<Result> {
  const directory = mkdtempSync(`${tmpdir()}/fleetflame-stacks-`);
  const load = new Load();
  try {
    const pids = await program.start({ directory, load });
    const giveUpMs = Date.now() + Number(values.seconds) * 1000;
    const { recording, stats } = await sampleUntil(
      { frequencyHz: Number(values.frequency) },
      (soFar) =>
        Date.now() > giveUpMs ||
        pids.reduce((sum, pid) => sum + countEnds(soFar.family(pid)).samples, 0) >= Number(values.samples),
      Number.POSITIVE_INFINITY,
    );
    const samples = pids.flatMap((pid) => recording.family(pid));
    // Before the files of the program go away: their symbols are looked up.
    return summarize(program.name, samples, stats, countOf(recording.samples));
  } finally {
    load.end();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function top(map: ReadonlyMap<string, number>, total: number, shown: number): string {
  return [...map]
    .sort((a, b) => b[1] - a[1])
    .slice(0, shown)
    .map(([name, count]) => `${name} ${percent(count / total)}`)
    .join(', ');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0.9 && share < 1 ? 2 : 1)} %`;
}

function row({ name, counts, framePointers, outermost, stoppedAt, bpfNs, own }: Result): string {
  const { samples, complete, pending, frames } = counts;
  return `| ${[
    name,
    samples.toLocaleString('en'),
    percent(complete / samples),
    top(stoppedAt, samples, Number.POSITIVE_INFINITY) || '–',
    (frames / samples).toFixed(1),
    percent(framePointers / samples),
    top(outermost, samples, SHOWN_OUTERMOST),
    String(pending),
    `${Math.round(bpfNs).toLocaleString('en')} (${percent(own)})`,
  ].join(' | ')} |`;
}

const HEAD = `| program | samples | complete | the others: why, where | mean depth | with frame pointers | outermost frame | before tables | ns/sample (own) |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |`;

if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const chosen = PROGRAMS.filter(
  ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
if (chosen.length === 0) throw new Error(`no program is called ${positionals.join(' or ')}`);
const rows: string[] = [];
const missing: string[] = [];
const before = readFileSync(BPF_STATS, 'utf8');
writeFileSync(BPF_STATS, '1');
try {
  console.log(HEAD);
  for (const program of chosen) {
    const absent = program.needs.filter((path) => !existsSync(path));
    if (absent.length > 0) {
      missing.push(`${program.name} (${absent.join(', ')})`);
      continue;
    }
    const line = row(await run(program));
    rows.push(line);
    console.log(line);
  }
} finally {
  writeFileSync(BPF_STATS, before);
}
const lines = [`${describeMachine()}; ${values.frequency} Hz:`, '', HEAD, ...rows];
if (missing.length > 0) lines.push('', `Not here: ${missing.join('; ')}`);
console.log(lines.slice(3 + rows.length).join('\n'));
if (values.write) writeResults('stacks', lines.join('\n'));
