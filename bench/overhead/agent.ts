/**
 * The whole agent: CPU of its process and of its BPF program, memory, samples lost, at each frequency,
 * with the CPUs idle and with all of them busy. The server it sends to is real and does not count.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { describeMachine } from './machine.ts';

const { values } = parseArgs({
  options: {
    frequencies: { type: 'string', default: '19,99' },
    seconds: { type: 'string', default: '60' },
    warmup: { type: 'string', default: '40' },
    output: { type: 'string', default: fileURLToPath(new URL('results-agent.md', import.meta.url)) },
  },
});

const BPF_STATS = '/proc/sys/kernel/bpf_stats_enabled';
const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const TICK_SECONDS = 0.01;
const seconds = Number(values.seconds);

interface Reading {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly busySeconds: number;
  readonly metrics: ReadonlyMap<string, number>;
}

const directory = mkdtempSync(join(tmpdir(), 'fleetflame-bench-'));
const work = join(directory, 'work');
execFileSync('gcc', [
  '-O1',
  '-fno-omit-frame-pointer',
  '-o',
  work,
  fileURLToPath(new URL('work.c', import.meta.url)),
]);
// As the launcher does it: the agent itself never loads the compiler of TypeScript.
const compileCache = join(directory, 'compile-cache');
execFileSync(process.execPath, [MAIN, 'agent', '--help'], {
  env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  stdio: 'ignore',
});
const statsBefore = readFileSync(BPF_STATS, 'utf8');
writeFileSync(BPF_STATS, '1');
const rows: string[] = [];
try {
  for (const frequency of values.frequencies.split(',')) {
    for (const isBusy of [false, true]) rows.push(await measure(frequency, isBusy));
  }
} finally {
  writeFileSync(BPF_STATS, statsBefore);
  rmSync(directory, { recursive: true });
}
const text = [
  `# The whole agent\n\n${describeMachine()}. ${seconds} s each after ${values.warmup} s of warm-up, window 10 s.`,
  'CPU is that of the process (JavaScript, drain thread, garbage collection) and of the BPF program, as a share of all CPUs; the interrupt itself is not in it.\n',
  '| Hz | host | process CPU % | BPF % | sum % | resident MB | kernel maps and rings MB | samples | lost |',
  '|---|---|---|---|---|---|---|---|---|',
  ...rows,
  '',
].join('\n');
writeFileSync(values.output, text);
process.stdout.write(text);

async function measure(frequency: string, isBusy: boolean): Promise<string> {
  const args = [
    '--data',
    join(directory, `${frequency}${isBusy}`),
    '--listen',
    '127.0.0.1:0',
    '--frequency',
    frequency,
  ];
  const up = spawn(process.execPath, [MAIN, 'up', ...args, '--log-level', 'error'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  });
  const load = isBusy
    ? cpus().map((_, cpu) => spawn('taskset', ['-c', String(cpu), work, '0'], { stdio: 'ignore' }))
    : [];
  try {
    const url = await urlOf(up);
    await delay(Number(values.warmup) * 1000);
    const before = await read(url);
    await delay(seconds * 1000);
    const after = await read(url);
    const all = seconds * cpus().length;
    const grown = (name: string): number => (after.metrics.get(name) ?? 0) - (before.metrics.get(name) ?? 0);
    const processShare = (100 * (after.cpuSeconds - before.cpuSeconds)) / all;
    const bpfShare = (100 * grown('fleetflame_agent_bpf_run_seconds_total')) / all;
    const lost = ['ring_full', 'table_full', 'spool_full']
      .map((cause) => grown(`fleetflame_agent_samples_lost_total{cause="${cause}"}`))
      .reduce((a, b) => a + b, 0);
    const busyShare = (100 * (after.busySeconds - before.busySeconds)) / all;
    return `| ${[
      frequency,
      `${isBusy ? 'busy' : 'idle'} (${busyShare.toFixed(0)} %)`,
      processShare.toFixed(3),
      bpfShare.toFixed(3),
      (processShare + bpfShare).toFixed(3),
      (after.residentBytes / 1e6).toFixed(0),
      ((after.metrics.get('fleetflame_agent_kernel_memory_bytes') ?? 0) / 1e6).toFixed(1),
      grown('fleetflame_agent_samples_total'),
      lost,
    ].join(' | ')} |`;
  } finally {
    for (const child of load) child.kill('SIGKILL');
    const ended = new Promise((resolve) => up.once('exit', resolve));
    up.kill('SIGINT');
    await ended;
  }
}

/** Reads on after the URL: a closed pipe would be the server's trouble. */
async function urlOf(up: ChildProcess): Promise<string> {
  let text = '';
  return await new Promise((resolve, reject) => {
    up.once('exit', () => reject(new Error(`up did not start: ${text}`)));
    up.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const url = /is up: (http:\S+)/.exec(text)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
}

async function read(url: string): Promise<Reading> {
  const metrics = new Map<string, number>();
  for (const line of (await (await fetch(`${url}/metrics`)).text()).split('\n')) {
    const at = line.lastIndexOf(' ');
    if (!line.startsWith('#') && at > 0) metrics.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the page of our own server, which names the agent's process
  const status = (await (await fetch(`${url}/status`)).json()) as {
    readonly agent: { readonly pid: number };
  };
  const stat = readFileSync(`/proc/${status.agent.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${status.agent.pid}/status`, 'utf8'));
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (
    readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  )
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS,
    residentBytes: Number(resident?.[1] ?? 0) * 1024,
    busySeconds: (user + nice + system + irq + softirq) * TICK_SECONDS,
    metrics,
  };
}
