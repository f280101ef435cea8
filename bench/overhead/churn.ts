/**
 * Thousands of processes that end at once: whether the whole agent keeps account of every sample and of their CPU time,
 * and what stays in memory afterwards. The server it sends to is real and does not count.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { AgentStats } from '@fleetflame/agent';

import { describeMachine } from './machine.ts';

const { values } = parseArgs({
  options: { processes: { type: 'string', default: '5000' }, milliseconds: { type: 'string', default: '5' } },
});
const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const MANY = fileURLToPath(new URL('../../packages/bpf/src/testing/programs/many.c', import.meta.url));
const SERVICE = 'ff-churn';
const FREQUENCY = '99';
const WARMUP_MS = 30_000;
/** Exits are told after two seconds, windows sent after ten. */
const SETTLE_MS = 25_000;

const directory = mkdtempSync(join(tmpdir(), 'fleetflame-churn-'));
const many = join(directory, 'many');
execFileSync('gcc', ['-O1', '-fno-omit-frame-pointer', '-o', many, MANY]);
const up = spawn(
  process.execPath,
  [
    MAIN,
    'up',
    '--data',
    join(directory, 'data'),
    '--listen',
    '127.0.0.1:0',
    '--frequency',
    FREQUENCY,
    '--log-level',
    'error',
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
try {
  const url = await new Promise<string>((resolve) => {
    let text = '';
    up.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /is up: (http:\S+)/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  await delay(WARMUP_MS);
  const before = await statsOf(url);
  const startedMs = performance.now();
  const family = spawn(many, [values.processes, '4', values.milliseconds], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, OTEL_SERVICE_NAME: SERVICE },
  });
  const printed = await new Promise<string>((resolve) => {
    family.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
  });
  const tookSeconds = (performance.now() - startedMs) / 1000;
  const peak = await statsOf(url);
  await delay(SETTLE_MS);
  const truth = cpuSecondsOf(family.pid ?? 0);
  const after = await statsOf(url);
  family.kill('SIGKILL');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- printed by our own command
  const { total } = JSON.parse(
    execFileSync(
      process.execPath,
      [
        MAIN,
        'series',
        '--server',
        url,
        '--last',
        '1h',
        '--step',
        '1h',
        '--selector',
        `{service_name="${SERVICE}"}`,
        '--json',
      ],
      { encoding: 'utf8' },
    ),
  ) as { total: number };
  const { interrupts, idle, outside, excluded } = after.sampler;
  const lost = ['ring_full', 'table_full', 'spool_full', 'spool_failed', 'refused'].reduce(
    (sum, cause) => sum + (after.losses[cause] ?? 0),
    0,
  );
  const open = interrupts - idle - outside - excluded - after.samples - lost;
  const text = [
    `# Processes that end at once\n\n${describeMachine()}. ${printed} processes of ${values.milliseconds} ms, four at a time, in ${tookSeconds.toFixed(0)} s (${((60 * Number(printed)) / tookSeconds).toFixed(0)} a minute); ${FREQUENCY} Hz.\n`,
    '| what | value |',
    '|---|---|',
    `| CPU seconds by the kernel's account | ${truth.toFixed(2)} |`,
    `| CPU seconds under their service's name | ${(total / 1e9).toFixed(2)} |`,
    `| samples lost | ${lost} |`,
    `| samples in windows that are still open | ${open} |`,
    `| process records, events, processes, mappings lost | ${after.sampler.lostProcessRecords}, ${after.sampler.lostProcessEvents}, ${after.sampler.refusedProcesses}, ${after.sampler.refusedMappings} |`,
    `| processes known before, at the end, ${SETTLE_MS / 1000} s later | ${before.processes.known}, ${peak.processes.known}, ${after.processes.known} |`,
    `| gone before /proc was read: labels of their parent | ${after.processes.inherited - before.processes.inherited} |`,
    `| resident MB before, at the end, ${SETTLE_MS / 1000} s later | ${[before, peak, after].map(({ memory }) => (memory.residentBytes / 1e6).toFixed(0)).join(', ')} |`,
    `| kernel MB before, at the end, ${SETTLE_MS / 1000} s later | ${[before, peak, after].map(({ memory }) => (memory.kernelBytes / 1e6).toFixed(1)).join(', ')} |`,
    '',
  ].join('\n');
  writeFileSync(fileURLToPath(new URL('results-churn.md', import.meta.url)), text);
  process.stdout.write(text);
} finally {
  const ended = new Promise((resolve) => up.once('exit', resolve));
  up.kill('SIGINT');
  await ended;
  rmSync(directory, { recursive: true });
}

async function statsOf(url: string): Promise<AgentStats> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the page of our own server
  const status = (await (await fetch(`${url}/status`)).json()) as {
    readonly agent: { readonly stats?: AgentStats };
  };
  if (status.agent.stats === undefined) throw new Error('the agent does not run');
  return status.agent.stats;
}

/** User and system time of a process and of those of its children that have ended. */
function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0) / 100;
}
