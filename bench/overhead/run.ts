import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Sampler } from '@fleetflame/bpf';

import { describeMachine } from './machine.ts';

const { values } = parseArgs({
  options: {
    frequencies: { type: 'string', default: '19,99,999' },
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '9' },
    units: { type: 'string', default: '100' },
    output: { type: 'string', default: fileURLToPath(new URL('results.md', import.meta.url)) },
  },
});

const BPF_STATS = '/proc/sys/kernel/bpf_stats_enabled';
const COLLECT_MS = 1000;
/** What a record costs in the ring besides its frames: the ring's header and ours. */
const RECORD_OVERHEAD_BYTES = 8 + 56;
/** Until the tables of the load are in place; samples before it are not measured. */
const WARM_UP_MS = 3000;
const FRAME_BYTES = 8;

/**
 * How stacks are found: with frame pointers in a program that has them, by tables in one that has none. Or not at
 * all, because the filter leaves the program out.
 */
interface Mode {
  readonly name: string;
  readonly compilerOption: string;
  readonly tableBytes: number;
  readonly leftOut?: boolean;
}

const MODES: readonly Mode[] = [
  { name: 'frame pointers', compilerOption: '-fno-omit-frame-pointer', tableBytes: 0 },
  { name: 'tables', compilerOption: '-fomit-frame-pointer', tableBytes: 32 << 20 },
  { name: '(left out)', compilerOption: '-fomit-frame-pointer', tableBytes: 32 << 20, leftOut: true },
];

interface Cost {
  readonly mode: string;
  readonly frequencyHz: number;
  readonly depth: number;
  readonly tableMiB: number;
  readonly tableCpuMs: number;
  readonly samples: number;
  readonly lost: number;
  readonly bpfNsPerSample: number;
  readonly bpfPercent: number;
  readonly drainPercent: number;
  readonly collectPercent: number;
  readonly bytesPerSample: number;
  readonly memoryBytes: number;
}

interface Difference {
  readonly mode: string;
  readonly frequencyHz: number;
  readonly offMs: number;
  readonly onMs: number;
  readonly spreadMs: number;
  readonly percent: number;
  readonly usPerSample: number;
}

function quantile(numbers: readonly number[], q: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.round(q * (sorted.length - 1))] ?? Number.NaN;
}

function start({ tableBytes, leftOut }: Mode, work: string, frequencyHz: number): Sampler {
  const filter = leftOut === true ? [{ action: 'skip', kind: 'exe', pattern: work } as const] : [];
  return new Sampler({ frequencyHz, tableBytes, filter });
}

/** All CPUs busy; what the sampler itself says it cost. */
async function measureCost(mode: Mode, work: string, frequencyHz: number, seconds: number): Promise<Cost> {
  const load = cpus().map((_, cpu) => spawn('taskset', ['-c', String(cpu), work, '0'], { stdio: 'ignore' }));
  const sampler = start(mode, work, frequencyHz);
  await delay(WARM_UP_MS);
  writeFileSync(BPF_STATS, '1');
  sampler.collect();
  const before = sampler.stats();
  let collectUs = 0;
  let bytes = 0;
  let samples = 0;
  let frames = 0;
  const collect = (): void => {
    const cpuBefore = process.threadCpuUsage();
    const collection = sampler.collect();
    const used = process.threadCpuUsage(cpuBefore);
    collectUs += used.user + used.system;
    for (let row = 0; row < collection.length; row++) {
      const depth = collection.stackStart[row + 1]! - collection.stackStart[row]!;
      samples += collection.count[row]!;
      frames += collection.count[row]! * depth;
      bytes += collection.count[row]! * (RECORD_OVERHEAD_BYTES + depth * FRAME_BYTES);
    }
  };
  const startedMs = performance.now();
  while (performance.now() - startedMs < seconds * 1000) {
    await delay(COLLECT_MS);
    // Somebody else may have turned it off.
    writeFileSync(BPF_STATS, '1');
    collect();
  }
  const memoryBytes = Object.values(sampler.memory()).reduce((sum, bytes) => sum + bytes, 0);
  const hostNs = (performance.now() - startedMs) * 1e6 * cpus().length;
  sampler.close();
  collect();
  for (const child of load) child.kill('SIGKILL');
  const stats = sampler.stats();
  const bpfNs = stats.bpfRunTimeNs - before.bpfRunTimeNs;
  return {
    mode: mode.name,
    frequencyHz,
    depth: frames / samples,
    tableMiB: stats.tableBytes / 2 ** 20,
    tableCpuMs: stats.tableCpuNs / 1e6,
    samples,
    lost: stats.lostRingFull + stats.lostTableFull,
    bpfNsPerSample: bpfNs / (stats.bpfRunCount - before.bpfRunCount),
    bpfPercent: (100 * bpfNs) / hostNs,
    drainPercent: (100 * (stats.drainCpuNs - before.drainCpuNs)) / hostNs,
    collectPercent: (100 * collectUs * 1000) / hostNs,
    bytesPerSample: bytes / samples,
    memoryBytes,
  };
}

/** The same work with and without sampling, in turns, so that slow drifts hit both alike. */
async function measureDifference(
  mode: Mode,
  work: string,
  frequencyHz: number,
  rounds: number,
  units: string,
): Promise<Difference> {
  const run = (): number =>
    Number(execFileSync('nice', ['-n', '-20', 'taskset', '-c', '0', work, units], { encoding: 'utf8' })) /
    1e6;
  const off: number[] = [];
  const on: number[] = [];
  run();
  for (let round = 0; round < rounds; round++) {
    off.push(run());
    const sampler = start(mode, work, frequencyHz);
    // Tables are made in the first moments; what stays is the cost of using them.
    run();
    await delay(WARM_UP_MS / 3);
    on.push(run());
    sampler.close();
  }
  const offMs = quantile(off, 0.5);
  const onMs = quantile(on, 0.5);
  return {
    mode: mode.name,
    frequencyHz,
    offMs,
    onMs,
    spreadMs: quantile(off, 0.75) - quantile(off, 0.25),
    percent: (100 * (onMs - offMs)) / offMs,
    usPerSample: ((onMs - offMs) * 1000) / ((onMs / 1000) * frequencyHz),
  };
}

const percent = (value: number): string => value.toFixed(4);

function format(costs: readonly Cost[], differences: readonly Difference[]): string {
  const costRows = costs.map((cost) =>
    [
      cost.mode,
      cost.frequencyHz,
      cost.samples,
      cost.lost,
      cost.depth.toFixed(1),
      cost.bpfNsPerSample.toFixed(0),
      (cost.bpfNsPerSample / cost.depth).toFixed(0),
      percent(cost.bpfPercent),
      percent(cost.drainPercent),
      percent(cost.collectPercent),
      percent(cost.bpfPercent + cost.drainPercent + cost.collectPercent),
      cost.bytesPerSample.toFixed(0),
      (cost.memoryBytes / 2 ** 20).toFixed(1),
      cost.tableMiB.toFixed(1),
      cost.tableCpuMs.toFixed(0),
    ].join(' | '),
  );
  const differenceRows = differences.map((row) =>
    [
      row.mode,
      row.frequencyHz,
      row.offMs.toFixed(2),
      row.onMs.toFixed(2),
      row.spreadMs.toFixed(2),
      row.percent.toFixed(3),
      row.usPerSample.toFixed(1),
    ].join(' | '),
  );
  return `# Results

${describeMachine()}; load average at the end ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]} (the load of the run itself included).

## What the parts say, all CPUs busy for ${values.seconds} s (percent of all CPUs)

| stacks by | Hz | samples | lost | depth | BPF ns/sample | ns/frame | BPF % | drain thread % | collect % | sum % | ring bytes/sample | memory MiB | of it tables | ms of CPU to make them |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
${costRows.map((row) => `| ${row} |`).join('\n')}

## Fixed work with and without sampling, ${values.rounds} turns, medians of process CPU time

| stacks by | Hz | off ms | on ms | spread of off ms | difference % | µs/sample |
|---|---|---|---|---|---|---|
${differenceRows.map((row) => `| ${row} |`).join('\n')}
`;
}

const frequencies = values.frequencies.split(',').map(Number);
const statsBefore = readFileSync(BPF_STATS, 'utf8');
const directory = mkdtempSync(`${tmpdir()}/fleetflame-overhead-`);
try {
  const source = fileURLToPath(new URL('work.c', import.meta.url));
  const loads = MODES.map((mode, index) => {
    const work = `${directory}/work${index}`;
    execFileSync('gcc', ['-O1', mode.compilerOption, source, '-o', work]);
    return { mode, work };
  });
  const differences: Difference[] = [];
  for (const { mode, work } of loads) {
    for (const frequencyHz of frequencies) {
      differences.push(await measureDifference(mode, work, frequencyHz, Number(values.rounds), values.units));
    }
  }
  // Taking the time of every run costs some itself, so only now.
  writeFileSync(BPF_STATS, '1');
  const costs: Cost[] = [];
  for (const { mode, work } of loads) {
    for (const frequencyHz of frequencies) {
      costs.push(await measureCost(mode, work, frequencyHz, Number(values.seconds)));
    }
  }
  const text = format(costs, differences);
  writeFileSync(values.output, text);
  console.log(text);
} finally {
  writeFileSync(BPF_STATS, statsBefore);
  rmSync(directory, { recursive: true });
}
