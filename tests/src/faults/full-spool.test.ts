/** An agent without a server whose spool is on a disk that fills up: a small tmpfs, which only root can mount. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ClusterProcess } from '../support/cluster.ts';
import { until } from '../support/product.ts';
import { endProcess, MAIN } from '../support/server-process.ts';
import { Workload, Workshop } from '../support/workloads.ts';

/** Some windows of one second. */
const SPOOL_BYTES = 192 << 10;
const DROPPED = /the disk is full: the oldest batch is dropped/g;

let directory: string;
let spool: string;
let workshop: Workshop;
let load: Workload;
let server: ClusterProcess;
let agent: ChildProcess;
let log = '';
const startedMs = Date.now();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetflame-spool-'));
  spool = join(directory, 'spool');
  await mkdir(spool);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SPOOL_BYTES}`, 'tmpfs', spool]);
  workshop = await Workshop.open();
  load = new Workload('full-spool', await workshop.c('shares'), ['200']);
  // Its port is known, and nobody answers there.
  server = await ClusterProcess.start(['up', '--no-agent', '--data', join(directory, 'data')], {});
  await server.kill();
  const flags = ['--server', server.url, '--spool', spool, '--window', '1s', '--frequency', '49'];
  agent = spawn(process.execPath, [MAIN, 'agent', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [agent.stdout, agent.stderr])
    stream?.on('data', (text: Buffer) => (log += text.toString()));
});

afterAll(async () => {
  if (agent !== undefined) await endProcess(agent, 'SIGKILL');
  await server?.kill();
  await load?.stop();
  await workshop?.close();
  execFileSync('umount', [spool]);
  await rm(directory, { recursive: true, force: true });
});

it('drops the oldest batches, says so, and goes on', async () => {
  await until(
    'batches are dropped',
    async () => Promise.resolve(log.match(DROPPED)?.length ?? 0),
    (dropped) => dropped >= 3,
    120_000,
  );
  expect(agent.exitCode, log).toBe(null);
});

it('sends what is left when the server is back, and the answer says how many samples are missing', async () => {
  await server.startAgain();
  const answer = await until(
    'the loss is told',
    async () =>
      await server.query.top({
        scope: {
          fromMs: BigInt(startedMs - 60_000),
          toMs: BigInt(Date.now() + 60_000),
          selector: '{service_name="full-spool"}',
          profileType: 'cpu',
        },
        limit: 1,
      }),
    ({ total, coverage }) =>
      total > 0n &&
      (coverage?.lost.some(({ cause, samples }) => cause === 'spool_full' && samples > 0n) ?? false),
    120_000,
  );
  expect(answer.coverage?.missing).toEqual([]);
  expect(agent.exitCode, log).toBe(null);
});
