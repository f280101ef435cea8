import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeBlock } from '@fleetflame/profile';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, expect, test, vi } from 'vitest';
import { startAgent } from './index.ts';
import { blockRows } from './testing/block-rows.ts';
import { IngestServer } from './testing/ingest-server.ts';
import { SymbolServer } from './testing/symbol-server.ts';

const HZ = 99;
const PERIOD_NS = Math.round(1e9 / HZ);
const ENOUGH = 50;

const directory = mkdtempSync(join(tmpdir(), 'fleetflame-filter-'));
const children: ChildProcess[] = [];
const symbols = new SymbolServer();
const ingest = new IngestServer((router) => symbols.routes(router));

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await ingest.close();
  rmSync(directory, { recursive: true });
});

function samplesOf(service: string): number {
  const rows = [...ingest.kept.values()].flatMap((bytes) => blockRows(decodeBlock(bytes)));
  const own = rows.filter(({ labels }) => labels['service_name'] === service);
  return own.reduce((sum, { total }) => sum + total, 0) / PERIOD_NS;
}

function excludedSamples(): number {
  const blocks = [...ingest.kept.values()].map((bytes) => decodeBlock(bytes));
  return blocks.reduce((sum, { losses }) => sum + (losses.get('excluded') ?? 0), 0);
}

async function until(condition: () => void): Promise<void> {
  await vi.waitFor(condition, { timeout: 60_000, interval: 250 });
}

test('what the filter file names is left out, counted in the blocks, and taken in when the file changes', async () => {
  const source = fileURLToPath(new URL('./testing/programs/chain.c', import.meta.url));
  for (const name of ['ff-wanted', 'ff-unwanted'])
    execFileSync('gcc', ['-O1', '-o', join(directory, name), source]);
  const file = join(directory, 'filter');
  writeFileSync(file, `# none of it\nskip exe:**/ff-unwanted\n`);
  const registry = new Registry();
  const agent = await startAgent({
    serverUrl: await ingest.listen(),
    frequencyHz: HZ,
    windowMs: 1000,
    spoolDir: join(directory, 'spool'),
    log: pino({ level: 'silent' }),
    registry,
    filter: { file },
  });
  for (const name of ['ff-wanted', 'ff-unwanted']) {
    children.push(spawn(join(directory, name), [], { stdio: 'ignore' }));
  }
  await until(() => {
    expect(samplesOf('ff-wanted')).toBeGreaterThan(ENOUGH);
    expect(excludedSamples()).toBeGreaterThan(ENOUGH);
  });
  expect(samplesOf('ff-unwanted')).toBeLessThan(3);
  expect(agent.stats().filter).toMatchObject({
    rules: ['skip exe:**/ff-unwanted'],
    file,
    processes: 1,
    problem: '',
  });

  writeFileSync(file, 'skip exe:**/ff-wanted\nskip\n');
  await until(() => expect(agent.stats().filter.problem).toContain(`${file}:2: "skip"`));
  expect(agent.stats().filter.rules).toEqual(['skip exe:**/ff-unwanted']);

  writeFileSync(file, '');
  await until(() => expect(samplesOf('ff-unwanted')).toBeGreaterThan(ENOUGH));
  const metrics = await registry.metrics();
  const before = agent.stats();
  await agent.stop();
  expect(before.filter).toMatchObject({ rules: [], processes: 0, failures: 1, problem: '' });
  expect(before.cpuSeconds.excluded).toBeCloseTo(before.sampler.excluded / HZ);
  expect(metrics).toMatch(/^fleetflame_agent_excluded_cpu_seconds_total [0-9.]*[1-9]/m);
  expect(metrics).toMatch(/^fleetflame_agent_filter_rules 0$/m);
  // What blocks say is what was left out: all of it was told by the last window.
  expect(excludedSamples()).toBe(agent.stats().losses['excluded']);
});
