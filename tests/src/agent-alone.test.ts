/** An agent without a server beside it, as a fleet runs them: what it tells of itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT_CAPABILITIES } from '@fleetflame/bpf';
import { expect, test } from 'vitest';
import { statusOf } from './support/process-tree.ts';
import { run, until } from './support/product.ts';
import { endProcess, MAIN } from './support/server-process.ts';

test('an agent that is told where to listen answers metrics, status and doctor, and nothing else', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'fleetflame-agent-alone-'));
  const flags = [
    '--server',
    'http://127.0.0.1:9',
    '--spool',
    join(directory, 'spool'),
    '--listen',
    '127.0.0.1:0',
  ];
  const agent = spawn(process.execPath, [MAIN, 'agent', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [agent.stdout, agent.stderr])
    stream.on('data', (bytes: Buffer) => (log += bytes.toString()));
  try {
    const url = await until(
      'it says where it listens',
      () => Promise.resolve(/"url":"(http:[^"]+)"/.exec(log)?.[1]),
      (found) => found !== undefined,
    );
    const get = async (path: string): Promise<Response> => await fetch(`${url}${path}`);
    await until(
      'it is ready',
      async () => (await get('/readyz')).status,
      (status) => status === 200,
    );
    // Whatever else root has was given up, for good.
    const six = Object.values(AGENT_CAPABILITIES).reduce((set, { bit }) => set | (1n << BigInt(bit)), 0n);
    for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
      expect(BigInt(`0x${statusOf(agent.pid ?? 0, set)}`), set).toBe(six);
    expect(statusOf(agent.pid ?? 0, 'NoNewPrivs')).toBe('1');
    expect(await (await get('/healthz')).text()).toBe('ok\n');
    expect(await (await get('/metrics')).text()).toMatch(/^fleetflame_agent_samples_total \d+$/m);
    expect(await (await get('/status')).json()).toMatchObject({
      role: 'agent',
      ready: true,
      agent: { state: 'running', pid: agent.pid, stats: { frequencyHz: 19 } },
    });
    expect((await get('/')).status).toBe(404);
    const doctor = await run(process.execPath, [MAIN, 'doctor', '--server', url ?? '']);
    expect(doctor.stdout).toContain(`process ${agent.pid}`);
    const second = await run(process.execPath, [
      MAIN,
      'agent',
      ...flags.slice(0, -1),
      new URL(url ?? '').host,
    ]);
    expect([second.code, second.stderr]).toEqual([1, expect.stringContaining('is in use')]);
    expect(await endProcess(agent, 'SIGTERM')).toBe(0);
  } finally {
    if (agent.exitCode === null && agent.signalCode === null) {
      agent.kill('SIGKILL');
      await once(agent, 'exit');
    }
    await rm(directory, { recursive: true, force: true });
  }
}, 120_000);
