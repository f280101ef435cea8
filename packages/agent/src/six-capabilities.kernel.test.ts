/** The agent as root with exactly the six capabilities that it is given, and a program of another user. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AGENT_CAPABILITIES, AGENT_CAPABILITY_NAMES, type AgentCapabilityName } from '@fleetflame/bpf';
import { decodeBlock } from '@fleetflame/profile';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { blockRows, type Row } from './testing/block-rows.ts';
import { IngestServer } from './testing/ingest-server.ts';

const RUN_AGENT = fileURLToPath(new URL('./testing/programs/run-agent.ts', import.meta.url));
const JIT = fileURLToPath(new URL('./testing/programs/jit.js', import.meta.url));
const CHAIN = fileURLToPath(new URL('./testing/programs/chain.c', import.meta.url));
/** nobody */
const OTHER = 65_534;
const TIMEOUT_MS = 100_000;

let directory: string;
let ingest: IngestServer;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-six-'));
  ingest = new IngestServer();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await ingest.close();
  await vi.waitFor(() => rmSync(directory, { recursive: true, force: true }));
});

/** Two programs of another user, one of them JIT code, whose binaries and environment nobody else may read. */
function startOthers(): readonly ChildProcess[] {
  const home = join(directory, 'closed');
  mkdirSync(home);
  // Of no other program on this host: a binary is known by its build id.
  const buildId = randomBytes(20).toString('hex');
  execFileSync('gcc', ['-O0', '-g', `-Wl,--build-id=0x${buildId}`, '-o', join(home, 'ff-six'), CHAIN]);
  copyFileSync(process.execPath, join(home, 'node'));
  copyFileSync(JIT, join(home, 'jit.js'));
  for (const name of ['ff-six', 'node', 'jit.js']) {
    chownSync(join(home, name), OTHER, OTHER);
    chmodSync(join(home, name), 0o700);
  }
  chownSync(home, OTHER, OTHER);
  chmodSync(home, 0o700);
  chmodSync(directory, 0o711);
  const flags = [
    '--perf-basic-prof',
    '--interpreted-frames-native-stack',
    '--no-maglev',
    '--no-turbo-inlining',
    'jit.js',
  ];
  const run = (program: string, args: readonly string[]): ChildProcess => {
    const child = spawn(program, args, {
      cwd: home,
      uid: OTHER,
      gid: OTHER,
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], OTEL_SERVICE_NAME: 'six-other' },
    });
    children.push(child);
    return child;
  };
  return [run('./ff-six', []), run('./node', flags)];
}

async function startAgent(names: readonly AgentCapabilityName[]): Promise<ChildProcess> {
  const url = await ingest.listen();
  const sets = names.map((name) => `+${name.slice('CAP_'.length).toLowerCase()}`);
  const rights = ['--no-new-privs', '--inh-caps=-all', `--bounding-set=-all,${sets.join(',')}`, '--'];
  const child = spawn('setpriv', [...rights, process.execPath, RUN_AGENT, url, join(directory, 'spool')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  if (child.stdout === null) throw new Error('the agent has no output');
  await once(child.stdout, 'data');
  return child;
}

function rows(): Row[] {
  return [...ingest.kept.values()].flatMap((bytes) => blockRows(decodeBlock(bytes)));
}

/** Ends the agent, and what it says of itself then. */
async function statsOf(agent: ChildProcess): Promise<Stats> {
  let printed = '';
  agent.stdout?.on('data', (data: Buffer) => (printed += data.toString()));
  agent.kill('SIGTERM');
  await vi.waitFor(() => expect(printed).toMatch(/\}$/), { timeout: 30_000 });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- printed by run-agent.ts
  return JSON.parse(printed) as Stats;
}

interface Stats {
  readonly capabilities: readonly string[];
  readonly kernel: { readonly symbols: number; readonly reason: string };
  readonly binaries: { readonly problems: Readonly<Record<string, number>> };
}

test(
  'loads, samples, and names frames, service and binary of a process of another user',
  async () => {
    startOthers();
    const agent = await startAgent(AGENT_CAPABILITY_NAMES);
    const status = readFileSync(`/proc/${agent.pid}/status`, 'utf8');
    const six = AGENT_CAPABILITY_NAMES.reduce(
      (set, name) => set | (1n << BigInt(AGENT_CAPABILITIES[name].bit)),
      0n,
    );
    for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
      expect(BigInt(`0x${new RegExp(`${set}:\\s*(\\w+)`).exec(status)?.[1]}`), set).toBe(six);
    // The service is in its environment, the functions in a file that is its user's, the build id in a closed directory.
    await vi.waitFor(
      () => {
        const own = rows().filter(({ labels }) => labels['service_name'] === 'six-other');
        const names = own.flatMap(({ frames }) => frames);
        expect(names.some(({ name, file }) => name === 'hotLoop' && file === '[jit]')).toBe(true);
        expect(names.some(({ file, buildId }) => file.endsWith('/closed/ff-six') && buildId !== '')).toBe(
          true,
        );
      },
      { timeout: TIMEOUT_MS - 20_000, interval: 500 },
    );
    const named = rows()
      .flatMap(({ frames }) => frames)
      .filter(({ file, name }) => file === '[kernel]' && name !== '');
    expect(named.length).toBeGreaterThan(0);
    const stats = await statsOf(agent);
    expect(stats.capabilities).toEqual([...AGENT_CAPABILITY_NAMES]);
    expect(stats.kernel).toMatchObject({ reason: '' });
    expect(stats.kernel.symbols).toBeGreaterThan(1000);
  },
  TIMEOUT_MS,
);

test(
  'without CAP_DAC_READ_SEARCH and CAP_SYSLOG it loses what doctor says: the service, and names of kernel frames',
  async () => {
    const others = startOthers();
    const agent = await startAgent(
      AGENT_CAPABILITY_NAMES.filter((name) => name !== 'CAP_DAC_READ_SEARCH' && name !== 'CAP_SYSLOG'),
    );
    await vi.waitFor(
      () => {
        const own = rows().filter(({ frames }) => frames.some(({ file }) => file.endsWith('/closed/ff-six')));
        expect(own.length).toBeGreaterThan(0);
      },
      { timeout: TIMEOUT_MS - 20_000, interval: 500 },
    );
    expect(others.map(({ exitCode }) => exitCode)).toEqual([null, null]);
    expect(rows().some(({ labels }) => labels['service_name'] === 'six-other')).toBe(false);
    const stats = await statsOf(agent);
    expect(stats.kernel.reason).not.toBe('');
    expect(stats.capabilities).toHaveLength(AGENT_CAPABILITY_NAMES.length - 2);
  },
  TIMEOUT_MS,
);
