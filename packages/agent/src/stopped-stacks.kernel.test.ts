import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Block, decodeBlock, stoppedReasonOf } from '@fleetflame/profile';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startAgent } from './index.ts';
import { type Row, blockRows } from './testing/block-rows.ts';
import { IngestServer } from './testing/ingest-server.ts';
import { SymbolServer } from './testing/symbol-server.ts';

const HZ = 99;
const PERIOD_NS = Math.round(1e9 / HZ);
/** Samples of each program that the test waits for, about. */
const ENOUGH = 150;

const programs = fileURLToPath(new URL('./testing/programs', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'fleetflame-stopped-'));
const children: ChildProcess[] = [];
const symbols = new SymbolServer();
const ingest = new IngestServer((router) => symbols.routes(router));
let blocks: Block[] = [];
let rows: Row[] = [];
let losses: Readonly<Record<string, number>> = {};

function run(name: string, options: readonly string[]): void {
  const binary = join(directory, `ff-${name}`);
  execFileSync('gcc', [...options, '-o', binary, join(programs, `${name}.c`)]);
  children.push(spawn(binary, [], { stdio: 'ignore' }));
}

const rowsOf = (service: string): Row[] => rows.filter(({ labels }) => labels['service_name'] === service);
const samplesOf = (some: readonly Row[]): number =>
  some.reduce((sum, { total }) => sum + total, 0) / PERIOD_NS;
const keptRows = (): Row[] => [...ingest.kept.values()].flatMap((bytes) => blockRows(decodeBlock(bytes)));

beforeAll(async () => {
  const agent = await startAgent({
    serverUrl: await ingest.listen(),
    frequencyHz: HZ,
    windowMs: 1000,
    spoolDir: join(directory, 'spool'),
    log: pino({ level: 'error' }),
    registry: new Registry(),
  });
  run('lost', ['-O0']);
  run('chain', ['-O0', '-fomit-frame-pointer']);
  await vi.waitFor(
    () => {
      rows = keptRows();
      for (const name of ['ff-lost', 'ff-chain']) expect(samplesOf(rowsOf(name))).toBeGreaterThan(ENOUGH);
    },
    { timeout: 90_000, interval: 300 },
  );
  for (const child of children) child.kill('SIGKILL');
  await agent.stop();
  losses = agent.stats().losses;
  blocks = [...ingest.kept.values()].map((bytes) => decodeBlock(bytes));
  rows = blocks.flatMap((block) => blockRows(block));
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await ingest.close();
  rmSync(directory, { recursive: true });
});

test('code that cannot be unwound is under a marker that says why', () => {
  const inCode = rowsOf('ff-lost').filter(({ frames }) =>
    frames.some(({ file }) => file.endsWith('/ff-lost')),
  );
  const names = new Map<string, number>();
  for (const { frames, total } of inCode) {
    const name = frames[0]?.name ?? '';
    names.set(name, (names.get(name) ?? 0) + total / PERIOD_NS);
  }
  const marked = names.get('[unwind stopped: no row]') ?? 0;
  expect(marked / samplesOf(inCode), JSON.stringify([...names])).toBeGreaterThan(0.8);
  expect(inCode[0]?.frames[0]).toMatchObject({ file: '[unwind stopped]', buildId: '' });
  // All others were taken before the table was there, and say so.
  expect([...names.keys()].filter((name) => stoppedReasonOf(name) === undefined)).toEqual([]);
});

test('code that is described has no marker once its tables are in place', () => {
  const marked = rowsOf('ff-chain').filter(
    ({ frames }) => stoppedReasonOf(frames[0]?.name ?? '') !== undefined,
  );
  const early = new Set(['process_pending', 'no_mapping', 'table_pending']);
  expect(marked.filter(({ frames }) => !early.has(stoppedReasonOf(frames[0]?.name ?? '') ?? ''))).toEqual([]);
  expect(samplesOf(marked) / samplesOf(rowsOf('ff-chain'))).toBeLessThan(0.5);
});

test('the losses of every block, and the sums of the agent, are those of its markers', () => {
  const totals = new Map<string, number>();
  for (const block of blocks) {
    const marked = new Map<string, number>();
    for (const { frames, total } of blockRows(block)) {
      for (const { name, file } of frames) {
        if (file !== '[unwind stopped]') continue;
        const cause = `stack_${stoppedReasonOf(name)}`;
        marked.set(cause, (marked.get(cause) ?? 0) + total / PERIOD_NS);
        totals.set(cause, (totals.get(cause) ?? 0) + total / PERIOD_NS);
      }
    }
    const said = [...block.losses].filter(([cause]) => /^stack_(?!no_process$)/.test(cause));
    expect(new Map(said)).toEqual(marked);
  }
  expect(totals.get('stack_no_row')).toBeGreaterThan(0);
  expect(losses).toMatchObject(Object.fromEntries(totals));
});
