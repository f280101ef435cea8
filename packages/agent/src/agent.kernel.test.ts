import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ElfFile, bufferSource } from '@fleetflame/elf';
import { decodeBlock } from '@fleetflame/profile';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Agent, type AgentStats, startAgent } from './index.ts';
import { type Row, blockRows } from './testing/block-rows.ts';
import { IngestServer } from './testing/ingest-server.ts';
import { SymbolServer } from './testing/symbol-server.ts';

const HZ = 99;
const PERIOD_NS = Math.round(1e9 / HZ);
const SHORT_PROCESSES = 60;
/** CPU time that each program is given. */
const ENOUGH_CPU_SECONDS = 3;

const programs = fileURLToPath(new URL('./testing/programs', import.meta.url));
let directory: string;
let agent: Agent;
let stats: AgentStats;
let rows: Row[] = [];
let metrics = '';
const children: ChildProcess[] = [];
const cpuSeconds = new Map<string, number>();
const symbols = new SymbolServer();
const ingest = new IngestServer((router) => symbols.routes(router));

function compile(name: string): string {
  const binary = join(directory, `ff-${name}`);
  const source = join(programs, `${name}.c`);
  // Optimised, a function that calls none has no frame, and its caller is missed.
  execFileSync('gcc', ['-O0', '-g', '-fno-omit-frame-pointer', '-Wl,--build-id', '-o', binary, source]);
  return binary;
}

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): number {
  const child = spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env } });
  children.push(child);
  if (child.pid === undefined) throw new Error(`${command} does not start`);
  return child.pid;
}

/** User and system time, with that of children that have ended, in seconds. */
function cpuOf(pid: number): { readonly own: number; readonly children: number; readonly state: string } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = (field: number): number => Number(fields[field - 3]) / 100;
  return { own: ticks(14) + ticks(15), children: ticks(16) + ticks(17), state: fields[0] ?? '' };
}

async function waitForCpu(pid: number, seconds: number): Promise<void> {
  await vi.waitFor(() => expect(cpuOf(pid).own).toBeGreaterThan(seconds), { timeout: 60_000, interval: 100 });
}

/** Stops a program for good, so that what it has used does not change any more. */
async function freeze(name: string, pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await vi.waitFor(() => expect(cpuOf(pid).state).toBe('T'));
  cpuSeconds.set(name, cpuOf(pid).own);
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-agent-'));
  const chain = compile('chain');
  const short = compile('short');
  const dd = join(directory, 'ff-dd');
  copyFileSync('/usr/bin/dd', dd);
  const registry = new Registry();
  agent = await startAgent({
    serverUrl: await ingest.listen(),
    frequencyHz: HZ,
    windowMs: 2000,
    spoolDir: join(directory, 'spool'),
    log: pino({ level: 'error' }),
    registry,
    labels: { cloud_region: 'test-1' },
  });
  const chainPid = run(chain, []);
  const ddPid = run(dd, ['if=/dev/zero', 'of=/dev/null', 'bs=1M']);
  // Inlined functions have no frame of their own.
  const jitFlags = [
    '--perf-basic-prof',
    '--interpreted-frames-native-stack',
    '--no-maglev',
    '--no-turbo-inlining',
  ];
  const jitPid = run(process.execPath, [...jitFlags, join(programs, 'jit.js')], {
    OTEL_SERVICE_NAME: 'ff-jit',
    OTEL_RESOURCE_ATTRIBUTES: 'service.version=1.2.3,deployment.environment.name=test',
  });
  const loop = `for i in $(seq ${SHORT_PROCESSES}); do ${short}; done; read line`;
  const shell = spawn('sh', ['-c', loop], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=ff-burst' },
  });
  children.push(shell);
  const shellPid = shell.pid ?? 0;
  await Promise.all([chainPid, ddPid, jitPid].map((pid) => waitForCpu(pid, ENOUGH_CPU_SECONDS)));
  await vi.waitFor(() => expect(cpuOf(shellPid).children).toBeGreaterThan(SHORT_PROCESSES * 0.025), {
    timeout: 60_000,
    interval: 100,
  });
  await freeze('ff-chain', chainPid);
  await freeze('ff-dd', ddPid);
  await freeze('ff-jit', jitPid);
  await freeze('sh', shellPid);
  cpuSeconds.set('ff-short', cpuOf(shellPid).children);
  const { buildId = '' } = ElfFile.parse(bufferSource(readFileSync(chain)));
  await vi.waitFor(() => expect([...symbols.uploads.keys()]).toContain(buildId), {
    timeout: 60_000,
    interval: 100,
  });
  metrics = await registry.metrics();
  await agent.stop();
  stats = agent.stats();
  rows = [...ingest.kept.values()].flatMap((bytes) => blockRows(decodeBlock(bytes)));
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await ingest.close();
  rmSync(directory, { recursive: true });
});

const ofService = (service: string): Row[] => rows.filter(({ labels }) => labels['service_name'] === service);
const seconds = (some: readonly Row[]): number => some.reduce((sum, { total }) => sum + total, 0) / 1e9;

test.each(['ff-chain', 'ff-dd', 'ff-jit', 'ff-short'])(
  '%s has the CPU time that the kernel accounts to it',
  (service) => {
    const truth = cpuSeconds.get(service) ?? 0;
    // A process that shares its CPU in short slices is hit at random: four standard deviations.
    const tolerance = 0.1 + (4 * Math.sqrt(truth * HZ)) / HZ;
    expect(truth).toBeGreaterThan(1);
    expect(Math.abs(seconds(ofService(service)) - truth)).toBeLessThan(tolerance);
  },
);

test('every sample is a multiple of the period and no sample is lost', () => {
  expect(rows.every(({ total }) => total % PERIOD_NS === 0)).toBe(true);
  expect(Math.round((seconds(rows) * 1e9) / PERIOD_NS)).toBe(stats.samples);
  expect(stats.losses).not.toHaveProperty('ring_full');
  expect(stats.losses).not.toHaveProperty('table_full');
  expect([stats.spool.batches, stats.spool.refused, stats.spool.corrupt]).toEqual([0, 0, 0]);
  expect(stats.send.sent).toBe(ingest.kept.size);
});

test('processes have their labels', () => {
  // Between fork and exec it still has the name of the thread that forked.
  const named = ofService('ff-chain').filter(({ labels }) => labels['thread_name'] === 'ff-chain');
  expect(seconds(named)).toBeGreaterThan(0.9 * seconds(ofService('ff-chain')));
  expect(named[0]?.labels).toMatchObject({
    host_name: hostname(),
    cloud_region: 'test-1',
    process_executable_name: 'ff-chain',
  });
  expect(ofService('ff-jit')[0]?.labels).toMatchObject({
    process_executable_name: 'node',
    service_version: '1.2.3',
    deployment_environment_name: 'test',
  });
  for (const { labels } of rows) expect(labels['service_name']).not.toBe('');
});

test('processes that are gone at once have the labels of their parent and their own executable', () => {
  const short = ofService('ff-short');
  expect(short.length).toBeGreaterThan(0);
  for (const { labels } of short) {
    expect(labels).toMatchObject({ process_executable_name: 'ff-short', service_namespace: 'ff-burst' });
  }
  expect(stats.processes.inherited).toBeGreaterThan(0);
});

test('native frames are addresses of the functions that were on the stack, under the build id', () => {
  const binary = readFileSync(join(directory, 'ff-chain'));
  const buildId = ElfFile.parse(bufferSource(binary)).buildId;
  const ranges = new Map<string, { readonly start: bigint; readonly end: bigint }>();
  const table = execFileSync('nm', ['-S', '--defined-only', join(directory, 'ff-chain')], {
    encoding: 'utf8',
  });
  for (const [, start = '', size = '', name = ''] of table.matchAll(
    /^([0-9a-f]+) ([0-9a-f]+) [Tt] (\w+)$/gm,
  )) {
    ranges.set(name, { start: BigInt(`0x${start}`), end: BigInt(`0x${start}`) + BigInt(`0x${size}`) });
  }
  const nameOf = (address: bigint): string =>
    [...ranges].find(([, { start, end }]) => start <= address && address < end)?.[0] ?? '?';
  const chains = new Map<string, number>();
  for (const { frames, total } of ofService('ff-chain')) {
    const own = frames.filter((frame) => frame.file.endsWith('/ff-chain'));
    expect(own.every((frame) => frame.buildId === buildId)).toBe(true);
    const chain = own.map(({ address }) => nameOf(address)).join(';');
    chains.set(chain, (chains.get(chain) ?? 0) + total / 1e9);
  }
  const expected = [...chains].filter(([chain]) => chain.endsWith('main;outer;inner'));
  const share = expected.reduce((sum, [, value]) => sum + value, 0) / seconds(ofService('ff-chain'));
  expect(share, JSON.stringify([...chains])).toBeGreaterThan(0.95);
});

test('kernel frames have names, and the build id of the kernel', () => {
  const kernel = ofService('ff-dd').flatMap(({ frames }) => frames.filter(({ file }) => file === '[kernel]'));
  const names = new Set(kernel.map(({ name }) => name));
  for (const name of ['do_syscall_64', 'vfs_read']) expect(names, [...names].join(' ')).toContain(name);
  expect(kernel.every(({ buildId }) => /^[0-9a-f]{40}$/.test(buildId))).toBe(true);
  expect(stats.kernel.reason).toBe('');
  const unnamed = kernel.filter(({ name }) => name === '').length;
  expect(unnamed / kernel.length).toBeLessThan(0.01);
});

test('JIT frames have the names of their functions, with the right callers', () => {
  const hot = ofService('ff-jit').filter(({ frames }) => {
    const names = frames.map(({ name }) => name);
    return names.includes('hotLoop') && names.indexOf('busyWork') < names.indexOf('hotLoop');
  });
  expect(seconds(hot) / seconds(ofService('ff-jit'))).toBeGreaterThan(0.8);
  const frame = hot.flatMap(({ frames }) => frames).find(({ name }) => name === 'busyWork');
  expect(frame?.file).toMatch(/^\[(jit|interpreted)\]$/);
  expect(frame?.buildId).toBe('');
});

test('the server gets the symbols of the binaries that it asks for, once', () => {
  // A large upload that stops for smaller ones is offered again, and goes on where it was.
  const again = symbols.asked.length - new Set(symbols.asked).size;
  expect(again).toBeLessThanOrEqual(stats.symbols.interrupted);
  const sizes = [...symbols.uploads.values()].map(({ bytes }) => bytes.length);
  const unfinished = symbols.receivedBytes - sizes.reduce((sum, size) => sum + size, 0);
  expect(unfinished).toBe(symbols.unfinishedBytes);
  const { buildId } = ElfFile.parse(bufferSource(readFileSync(join(directory, 'ff-chain'))));
  const upload = symbols.uploads.get(buildId ?? '');
  if (upload === undefined) throw new Error(`no symbols of ff-chain among ${symbols.uploads.size} uploads`);
  expect(upload.fileName).toBe('ff-chain');
  const elf = ElfFile.parse(bufferSource(upload.bytes));
  expect(elf.identity).toBe(buildId);
  expect(elf.section('.symtab')?.size).toBeGreaterThan(0);
  // Debug sections, no code.
  expect(elf.section('.debug_info')?.type).toBe(1);
  expect(elf.section('.text')?.type).toBe(8);
});

test('the metrics tell the same as the statistics', () => {
  expect(metrics).toMatch(/^fleetflame_agent_samples_total [1-9]/m);
  expect(metrics).toMatch(/^fleetflame_agent_cpus [1-9]/m);
  expect(metrics).toMatch(/^fleetflame_agent_send_seconds_count [1-9]/m);
  expect(metrics).toContain('# TYPE fleetflame_agent_samples_lost_total counter');
});
