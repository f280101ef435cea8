/**
 * Compares stacks with those that perf finds for the same samples, and with those that gdb finds for stopped
 * processes. See README.md, whose results it rewrites with --write.
 */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { type Agreement, buildWalker, compareWithGdb, compareWithPerf, Load } from '@fleetflame/bpf/testing';

import { describeMachine } from '../overhead/machine.ts';
import { PROGRAMS } from './programs.ts';
import { writeResults } from './results.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '20' },
    frequency: { type: 'string', default: '199' },
    stops: { type: 'string', default: '300' },
    examples: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const USAGE = `./fleetflame bench stacks/other-eyes [--seconds 20] [--frequency 199] [--stops 300] [--examples] [--write] [NAME ...]

Runs every program (or those whose name contains a NAME) and compares our stacks, frame by frame, with those of perf (so
many seconds) and of gdb (so many stops). As root, with linux-perf and gdb. --examples prints one stack per difference.`;

/** Until a program does what it does all the time. */
const WARM_UP_MS = 3000;
/** A child that runs for one task has ended by then. */
const STILL_MS = 1000;

/** Those that are there now and a moment later: perf and gdb refuse others. */
async function lastingFamily(roots: readonly number[]): Promise<number[]> {
  const before = new Set(roots.flatMap(family));
  await delay(STILL_MS);
  return roots.flatMap(family).filter((pid) => before.has(pid));
}

/** A process and those that it started. */
function family(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [root];
  for (const pid of found) {
    for (const [child, parent] of parents) if (parent === pid) found.push(child);
  }
  return found;
}

function row(name: string, eye: string, agreement: Agreement): string {
  const { samples, equal, differences } = agreement;
  const kinds = [...differences].sort((a, b) => b[1].count - a[1].count);
  if (values.examples) {
    for (const [kind, { count, example }] of kinds) console.log(`  ${count} ${kind}\n    ${example}`);
  }
  const share = samples === 0 ? '–' : `${((100 * equal) / samples).toFixed(2)} %`;
  const others = kinds.map(([kind, { count }]) => `${count} × ${kind}`).join(', ') || '–';
  return `| ${name} | ${eye} | ${samples.toLocaleString('en')} | ${share} | ${others} |`;
}

if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const HEAD = '| program | other eye | stacks | equal | differences |\n| --- | --- | --- | --- | --- |';
const workplace = mkdtempSync(`${tmpdir()}/fleetflame-eyes-`);
// Some programs run as other users.
chmodSync(workplace, 0o755);
const walker = buildWalker(workplace);
const rows: string[] = [];
const totals = { samples: 0, equal: 0 };
console.log(HEAD);
try {
  for (const program of PROGRAMS) {
    const chosen = positionals.length === 0 || positionals.some((part) => program.name.includes(part));
    if (!chosen || program.needs.some((path) => !existsSync(path))) continue;
    const directory = mkdtempSync(`${workplace}/program-`);
    const load = new Load();
    try {
      const roots = await program.start({ directory, load });
      await delay(WARM_UP_MS);
      const pids = await lastingFamily(roots);
      const settings = { walker, directory, pids };
      const perf = await compareWithPerf({
        ...settings,
        seconds: Number(values.seconds),
        frequencyHz: Number(values.frequency),
      });
      const gdb = await compareWithGdb({ ...settings, stops: Number(values.stops) });
      for (const [eye, agreement] of [
        ['perf', perf],
        ['gdb', gdb],
      ] as const) {
        totals.samples += agreement.samples;
        totals.equal += agreement.equal;
        const line = row(program.name, eye, agreement);
        rows.push(line);
        console.log(line);
      }
    } finally {
      load.end();
    }
  }
} finally {
  rmSync(workplace, { recursive: true, force: true, maxRetries: 5 });
}
const share = ((100 * totals.equal) / totals.samples).toFixed(2);
const summary = `${describeMachine()}: of ${totals.samples.toLocaleString('en')} stacks, **${share} % equal, frame by frame**.`;
console.log(`\n${summary}`);
if (values.write) writeResults('other eyes', [summary, '', HEAD, ...rows].join('\n'));
