import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeBlock } from '@fleetflame/profile';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseSpoolFileName } from './spool/spool-file.ts';
import { blockRows } from './testing/block-rows.ts';
import { IngestServer } from './testing/ingest-server.ts';

const RUN_AGENT = fileURLToPath(new URL('./testing/programs/run-agent.ts', import.meta.url));
const CHAIN = fileURLToPath(new URL('./testing/programs/chain.c', import.meta.url));
const KILLS = 3;
const TIMEOUT_MS = 100_000;

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleetflame-restart-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await vi.waitFor(() => rmSync(directory, { recursive: true, force: true }));
});

/** agent_id/seq of what is in the spool. */
function spooled(): string[] {
  return readdirSync(join(directory, 'spool')).flatMap((name) => {
    const key = parseSpoolFileName(name);
    return key === undefined ? [] : [`${key.agentId}/${key.seq}`];
  });
}

test(
  'an agent that is killed again and again under load loses no batch of its spool, and none counts twice',
  async () => {
    const program = join(directory, 'ff-load');
    execFileSync('gcc', ['-O0', '-g', '-o', program, CHAIN]);
    children.push(spawn(program, { stdio: 'ignore' }));
    const server = new IngestServer();
    const answers = { down: true, losesAcks: true };
    const written = new Map<string, number>();
    server.before = (_call, key) => {
      if (answers.down) throw new Error('the server is down');
      written.set(key, (written.get(key) ?? 0) + 1);
    };
    let lostAnswers = 0;
    server.after = (call) => {
      if (!answers.losesAcks || call % 2 !== 0) return;
      lostAnswers++;
      throw new Error('the answer is lost');
    };
    const url = await server.listen();
    const start = async (): Promise<ChildProcess> => {
      const child = spawn(process.execPath, [RUN_AGENT, url, join(directory, 'spool')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      if (child.stdout === null) throw new Error('the agent has no output');
      await once(child.stdout, 'data');
      return child;
    };

    // Killed while the server is down: what it has spooled is all that there is of it.
    const left = new Set<string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const agent = await start();
      const before = left.size;
      await vi.waitFor(() => expect(spooled().length).toBeGreaterThanOrEqual(before + 2), {
        timeout: 30_000,
      });
      agent.kill('SIGKILL');
      await once(agent, 'exit');
      for (const key of spooled()) left.add(key);
    }
    expect(new Set([...left].map((key) => key.split('/')[0])).size).toBe(KILLS);

    // Then the server is there, but every other acknowledgement is lost, and the agent is killed while it replays.
    answers.down = false;
    const replaying = await start();
    await vi.waitFor(() => expect(lostAnswers).toBeGreaterThan(0), { timeout: 60_000 });
    replaying.kill('SIGKILL');
    await once(replaying, 'exit');
    for (const key of spooled()) left.add(key);
    answers.losesAcks = false;
    const last = await start();
    await vi.waitFor(() => expect([...left].filter((key) => !server.kept.has(key))).toEqual([]), {
      timeout: 30_000,
      interval: 200,
    });
    let printed = '';
    last.stdout?.on('data', (data: Buffer) => (printed += data.toString()));
    last.kill('SIGTERM');
    await vi.waitFor(() => expect(printed).toMatch(/\}$/), { timeout: 30_000 });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- printed by run-agent.ts
    const stats = JSON.parse(printed) as { agentId: string; samples: number; spool: { batches: number } };
    expect(stats.spool.batches).toBe(0);
    expect(spooled()).toEqual([]);

    // Lost answers made batches come twice; they are kept once, and every agent's numbers are without a gap.
    expect([...written.values()].some((times) => times > 1)).toBe(true);
    const sequences = new Map<string, number[]>();
    for (const key of server.kept.keys()) {
      const [agentId = '', seq = ''] = key.split('/');
      sequences.set(agentId, [...(sequences.get(agentId) ?? []), Number(seq)]);
    }
    for (const seqs of sequences.values()) {
      expect(seqs.sort((a, b) => a - b)).toEqual(seqs.map((_, i) => i));
    }
    const samples = [...server.kept]
      .filter(([key]) => key.startsWith(`${stats.agentId}/`))
      .flatMap(([, bytes]) => blockRows(decodeBlock(bytes)))
      .reduce((sum, { total }) => sum + total / Math.round(1e9 / 99), 0);
    expect(Math.round(samples)).toBe(stats.samples);
    await server.close();
  },
  TIMEOUT_MS,
);
