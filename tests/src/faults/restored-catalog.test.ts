/** Yesterday's catalog copied back under today's objects: docs/deployment.md says what then happens. */
import { copyFile, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeBlock } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import { Product, until } from '../support/product.ts';

/** Longer than any grace: of deleted objects 15 minutes, of orphans an hour. */
const DAY_MS = 86_400_000;
const BATCHES = 4;

let dataDir: string;
let product: Product;
let backup: string;
let catalog: string;
const startedMs = Date.now() - 7_200_000;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'fleetflame-restore-'));
  backup = join(dataDir, 'backup.db');
  catalog = join(dataDir, 'catalog.db');
  await writeFile(join(dataDir, 'up.yaml'), 'limits:\n  maintenance:\n    roundMs: 200\n');
  await start();

  // Yesterday: segments, not merged yet, are in the catalog that is saved.
  await write('yesterday', 0);
  await product.stop();
  await copyFile(catalog, backup);

  // Today: they are merged, which replaces their objects, and more comes.
  await start();
  await write('today', 100);
  await write('never-again', 200);
  await until('everything is merged', levels, (all) => all.every(({ level }) => level > 0));
  expect([await total('yesterday'), await total('today')]).toEqual([sum(0), sum(100)]);
  // A day passes: the objects that were merged into others are removed.
  const live = keys('where deleted_ms is null').length;
  await product.stop();
  execute(`update blocks set deleted_ms = deleted_ms - ${DAY_MS} where deleted_ms is not null`);
  execute('update jobs set not_before_ms = 0');
  await start();
  await until('merged objects are removed', objects, ({ length }) => length === live);
  await product.stop();

  await copyFile(backup, catalog);
  for (const suffix of ['-wal', '-shm']) await rm(`${catalog}${suffix}`, { force: true });
  await start();
});

afterAll(async () => {
  await product?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

it('says that what the old catalog names is missing, and returns no wrong number', async () => {
  const { total, coverage } = await ask('yesterday');
  expect(total).toBe(0n);
  expect(coverage?.missing.length).toBeGreaterThan(0);
  expect(coverage?.blocksAnswered).toBe(0);
  await until(
    'the blocks are quarantined',
    async () => JSON.parse((await product.get('/status')).text).store.quarantined as number,
    (quarantined) => quarantined === coverage?.blocksExpected,
  );
  const list = await product.cli('blocks', 'list', '--json');
  expect(list.stdout).toMatch(/not in object storage|not there|does not exist|no object/i);
});

it('takes again what it has forgotten, once, and knows what it remembers', async () => {
  expect(await total('today')).toBe(0);
  expect(await write('today', 100)).toBe(0);
  expect(await total('today')).toBe(sum(100));
  expect(await write('today', 100)).toBe(BATCHES);
  expect(await total('today')).toBe(sum(100));
  // Committed yesterday, as far as anybody knows.
  expect(await write('yesterday', 0)).toBe(BATCHES);
});

it('holds back the objects that no row names, and removes them when somebody has said so', async () => {
  const rows = new Set(keys());
  const orphans = (await objects()).filter((key) => !rows.has(key));
  expect(orphans.length).toBeGreaterThan(0);
  await sweep();
  expect(await objects()).toEqual(expect.arrayContaining(orphans));
  const old = new Date(Date.now() - DAY_MS);
  for (const key of orphans) await utimes(join(dataDir, 'objects', key), old, old);
  await sweep();
  // What was sent again is a leftover, if nothing else was merged with it; what was not sent again is nowhere else.
  const condemned = new Set(keys());
  const held = orphans.filter((key) => !condemned.has(key));
  expect(held.length).toBeGreaterThan(0);
  const said = await product.cli('jobs', 'resume', 'sweep');
  expect(said.code).toBe(1);
  expect(said.stderr).toMatch(/sweep holds back \d+ objects without a row.*--yes/);
  expect((await product.cli('jobs', 'list')).stderr).toMatch(/sweep holds back/);
  expect(await metric('fleetflame_store_held_blocks')).toBe(held.length);
  expect((await product.cli('jobs', 'resume', 'sweep', '--yes')).code).toBe(0);
  await sweep();
  // Their ids are taken, so that a late writer cannot commit them; the next removal deletes them after its grace.
  const taken = new Set(keys());
  for (const key of orphans) expect(taken.has(key), key).toBe(true);
  expect(await total('today')).toBe(sum(100));
});

async function start(): Promise<void> {
  product = await Product.start({ dataDir, args: ['--no-agent', '--config', join(dataDir, 'up.yaml')] });
}

/** How many of the batches were known. */
async function write(service: string, base: number): Promise<number> {
  let known = 0;
  for (let seq = 0; seq < BATCHES; seq++) {
    const block = encodeBlock(
      blockFromText(`main;${service} ${base + seq + 1}`, {
        timeMs: startedMs + seq * 1000,
        labels: { service_name: service },
      }),
    );
    const answer = await product.ingest.write({ agentId: service, seq: BigInt(seq), block });
    if (answer.duplicate) known++;
  }
  return known;
}

function sum(base: number): number {
  return BATCHES * base + (BATCHES * (BATCHES + 1)) / 2;
}

async function ask(service: string) {
  return await product.query.top({
    scope: {
      fromMs: BigInt(startedMs - 60_000),
      toMs: BigInt(startedMs + 60_000),
      selector: `{service_name="${service}"}`,
      profileType: 'cpu',
    },
    limit: 1,
  });
}

async function total(service: string): Promise<number> {
  return Number((await ask(service)).total);
}

async function levels(): Promise<{ readonly level: number; readonly blocks: number }[]> {
  return JSON.parse((await product.get('/status')).text).store.levels;
}

async function objects(): Promise<string[]> {
  return (await readdir(join(dataDir, 'objects', 'blocks'))).map((name) => `blocks/${name}`).sort();
}

async function metric(name: string): Promise<number> {
  const lines = (await product.get('/metrics')).text.split('\n').filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** One more sweep, and its end. */
async function sweep(): Promise<void> {
  const last = async (): Promise<number> => {
    const { tasks } = JSON.parse((await product.get('/status')).text).store;
    return (
      (tasks as { name: string; lastRunMs: number }[]).find(({ name }) => name === 'sweep')?.lastRunMs ?? 0
    );
  };
  await product.stop();
  execute(`update jobs set not_before_ms = 0, started_ms = 0 where id = 'task/sweep'`);
  await start();
  await until('a sweep', last, (ms) => ms > 0);
  // It has ended when the next task of its round has begun: a round begins with a plan.
  await product.stop();
  await start();
}

function keys(where = ''): string[] {
  using database = open();
  return database.rows(`select object_key as key from blocks ${where}`).map(({ key }) => String(key));
}

function execute(statement: string): void {
  using database = open();
  database.rows(statement);
}

function open() {
  const database = new DatabaseSync(catalog, { timeout: 5000 });
  return {
    rows: (statement: string) => database.prepare(statement).all(),
    [Symbol.dispose]: () => database.close(),
  };
}
