/** I1, I2, I3 and I5 against a process that is killed at any moment of writing and compacting. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { scaled, testSeed } from '@fleetflame/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Store } from './store.ts';
import { SeededRandom } from './testing/seeded-random.ts';
import { BATCH_SUM, sumsByFunction } from './testing/test-blocks.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const CHILD = fileURLToPath(new URL('./testing/crash-child.ts', import.meta.url));
const KILLS = scaled(10, 200);
/** From ready to killed, at most: several minutes of the child's clock. */
const MAX_LIFE_MS = 600;
const START = Date.UTC(2026, 10, 22);

interface Life {
  readonly tried: Set<string>;
  readonly acked: Set<string>;
}

async function liveAndDie(dataDir: string, agentId: string, clockMs: number, lifeMs: number): Promise<Life> {
  const child = spawn(process.execPath, [CHILD, dataDir, agentId, String(clockMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const tried = new Set<string>();
  const acked = new Set<string>();
  const lines = createInterface(child.stdout);
  lines.on('line', (line) => {
    const [word, seq] = line.split(' ');
    if (word === 'ready') setTimeout(() => child.kill('SIGKILL'), lifeMs);
    if (word === 'try') tried.add(`${agentId}/${seq}`);
    if (word === 'ack') acked.add(`${agentId}/${seq}`);
  });
  const [[, signal]] = await Promise.all([once(child, 'exit'), once(lines, 'close')]);
  expect(signal).toBe('SIGKILL');
  return { tried, acked };
}

test('killed again and again while it writes and compacts: all that was acked is there, once', async () => {
  using directory = temporaryDirectory();
  const seed = testSeed();
  const random = new SeededRandom(seed);
  const tried = new Set<string>();
  const acked = new Set<string>();
  const wrong: string[] = [];
  for (let run = 0; run < KILLS; run++) {
    const clockMs = START + run * 20 * 60_000;
    const life = await liveAndDie(directory.path, `run-${run}`, clockMs, random.below(MAX_LIFE_MS));
    for (const name of life.tried) tried.add(name);
    for (const name of life.acked) acked.add(name);
    const store = await Store.open({
      dataDir: directory.path,
      retentionMs: 30 * 86_400_000,
      log: pino({ level: 'silent' }),
      registry: new Registry(),
      now: () => clockMs,
    });
    const sums = await sumsByFunction(store);
    await store.close();
    for (const name of acked) if (sums.get(name) !== BATCH_SUM) wrong.push(`${name}: ${sums.get(name)}`);
    for (const [name, sum] of sums) if (!tried.has(name) || sum !== BATCH_SUM) wrong.push(`${name}: ${sum}`);
  }
  expect({ seed, wrong }).toEqual({ seed, wrong: [] });
  expect(acked.size).toBeGreaterThan(KILLS);
});
