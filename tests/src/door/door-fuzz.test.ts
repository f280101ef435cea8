/**
 * Whatever a stranger writes to a port, every role lives on: the same processes at the end, and nothing came past the
 * door. `FLEETFLAME_SEED` repeats a run; the long task (`./fleetflame test long`) sends a million requests.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '@fleetflame/store/testing';
import { scaled, testSeed } from '@fleetflame/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { Product, until } from '../support/product.ts';
import { endProcess, MAIN } from '../support/server-process.ts';
import { HostileRequests } from './hostile-request.ts';
import { sendHostile } from './send-hostile.ts';

const SEED = testSeed();
const REQUESTS = scaled(20_000, 1_000_000);
const ROLES = ['up', 'ingest', 'query', 'compactor', 'symbolizer', 'agent'] as const;

interface Target {
  readonly url: string;
  readonly isRunning: () => boolean;
  readonly log: () => string;
}

describe(`strangers at the door (FLEETFLAME_SEED=${SEED})`, () => {
  const targets = new Map<string, Target>();
  let product: Product;
  let cluster: Cluster;
  let agent: ChildProcess;
  let spool: string;

  beforeAll(async () => {
    product = await Product.start({ args: ['--no-agent'] });
    // Its parent would start another.
    const { serverPid } = product;
    targets.set('up', { url: product.url, isRunning: () => lives(serverPid), log: () => product.log });
    cluster = await Cluster.start({ seed: SEED });
    for (const process of cluster.processes) {
      if (targets.has(process.role)) continue;
      targets.set(process.role, {
        url: process.url,
        isRunning: () => lives(process.pid),
        log: () => process.log,
      });
    }
    spool = await mkdtemp(join(tmpdir(), 'fleetflame-door-'));
    const flags = [
      '--server',
      'http://127.0.0.1:9',
      '--spool',
      join(spool, 'spool'),
      '--listen',
      '127.0.0.1:0',
    ];
    agent = spawn(process.execPath, [MAIN, 'agent', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [agent.stdout, agent.stderr])
      stream?.on('data', (bytes: Buffer) => (log += bytes.toString()));
    const url = await until(
      'the agent says where it listens',
      () => Promise.resolve(/"url":"(http:[^"]+)"/.exec(log)?.[1]),
      (found) => found !== undefined,
    );
    targets.set('agent', { url: url ?? '', isRunning: () => agent.exitCode === null, log: () => log });
  }, 240_000);

  afterAll(async () => {
    await product?.stop();
    await product?.remove();
    await cluster?.[Symbol.asyncDispose]();
    if (agent !== undefined) await endProcess(agent, 'SIGKILL');
    await rm(spool, { recursive: true, force: true });
  }, 60_000);

  const cases = ROLES.flatMap((role, i) =>
    (['http1', 'http2'] as const).map((protocol, j) => [role, protocol, i * 2 + j] as const),
  );
  it.each(cases)(
    '%s lives on, whatever comes by %s',
    async (role, protocol, index) => {
      const target = targets.get(role);
      if (target === undefined) throw new Error(`${role} does not run`);
      const hostile = new HostileRequests(new SeededRandom(SEED + index));
      const wanted = Math.ceil(REQUESTS / cases.length);
      expect(await sendHostile(target.url, wanted, () => hostile[protocol]())).toBeGreaterThanOrEqual(wanted);
      expect((await fetch(`${target.url}/healthz`)).status).toBe(200);
      expect(target.isRunning()).toBe(true);
      const metrics = await (await fetch(`${target.url}/metrics`)).text();
      expect(metrics).toMatch(/^fleetflame_uncaught_errors_total 0$/m);
      expect(metrics).toMatch(/^fleetflame_door_refused_total\{limit="target"\} [1-9]/m);
      // Nor did a handler meet what it had not expected.
      expect(metrics).not.toMatch(/^fleetflame_door_errors_total\{.*\} [1-9]/m);
      expect(target.log()).not.toContain('should not happen');
    },
    scaled(240_000, 3_600_000),
  );
});

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
