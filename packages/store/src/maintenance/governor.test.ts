/** What a wrong clock, a wrong catalog or a changed retention may remove: nothing that nobody has confirmed. */
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Store, type StoreOptions } from '../store.ts';
import { batchBlock, BATCH_SUM, sumsByFunction } from '../testing/test-blocks.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { checkClocks } from './check-clocks.ts';
import { DELETED_GRACE_MS } from './remover.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 22);

/** The time that is, and what the host's clock says instead. */
interface Clock {
  trueMs: number;
  wrongMs: number;
}

async function openStore(dataDir: string, clock: Clock, options: Partial<StoreOptions> = {}) {
  const registry = new Registry();
  const store = await Store.open({
    dataDir,
    retentionMs: 30 * DAY,
    log: pino({ level: 'silent' }),
    registry,
    now: () => clock.trueMs + clock.wrongMs,
    elapsedMs: () => clock.trueMs,
    ...options,
  });
  return Object.assign(store, { registry, [Symbol.asyncDispose]: () => store.close() });
}

/** A segment a day for so many days, with a round of maintenance each hour; ends at the clock of the last one. */
async function live(store: Store, clock: Clock, days: number): Promise<void> {
  for (let day = 0; day < days; day++) {
    await write(store, `day ${day}`, clock.trueMs);
    for (let hour = 0; hour < 24; hour++) {
      clock.trueMs += HOUR;
      await store.maintain();
    }
  }
}

async function write(store: Store, name: string, timeMs: number): Promise<void> {
  const batches = [{ agentId: name, seq: 0n }];
  expect(await store.commitSegment({ block: batchBlock(name, timeMs), batches })).toEqual({
    committed: true,
  });
}

/** Maintenance for a while, each minute twice so that tasks follow each other. */
async function pass(store: Store, clock: Clock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10 * MINUTE) {
    await store.maintain();
    clock.trueMs += 10 * MINUTE;
  }
  await store.maintain();
}

const namesOf = async (store: Store) => [...(await sumsByFunction(store)).keys()].toSorted();
const objectFiles = (dataDir: string) => readdirSync(join(dataDir, 'objects', 'blocks'));
const holdOf = async (store: Store) => (await store.controls.list()).find(({ hold }) => hold !== undefined);

test('steady expiry goes on by itself', async () => {
  using directory = temporaryDirectory();
  const clock = { trueMs: START, wrongMs: 0 };
  await using store = await openStore(directory.path, clock, { retentionMs: 5 * DAY });
  await live(store, clock, 12);
  expect(await namesOf(store)).toEqual(['day 10', 'day 11', 'day 7', 'day 8', 'day 9']);
  expect(await holdOf(store)).toBeUndefined();
});

test('a clock that is ten days ahead expires nothing, forgets no batch, and is told; when it is set, all goes on', async () => {
  using directory = temporaryDirectory();
  const clock = { trueMs: START, wrongMs: 0 };
  {
    await using store = await openStore(directory.path, clock, { retentionMs: 7 * DAY });
    await live(store, clock, 3);
    await write(store, 'last', clock.trueMs);
  }
  clock.wrongMs = 10 * DAY;
  {
    await using store = await openStore(directory.path, clock, { retentionMs: 7 * DAY });
    // What comes meanwhile has the wrong time too.
    await write(store, 'ahead', clock.trueMs + clock.wrongMs);
    await pass(store, clock, 5 * HOUR);
    expect(await namesOf(store)).toEqual(['ahead', 'day 0', 'day 1', 'day 2', 'last']);
    const held = await holdOf(store);
    expect(held).toMatchObject({ kind: 'expire', hold: { blocks: 4, fromMs: START } });
    expect(held?.hold?.reason).toMatch(/the clock says 2026-12-05.*it was 2026-11-2[45].*newest sample/);
    const text = await store.registry.metrics();
    expect(text).toMatch(/^fleetflame_store_held_blocks\{kind="expire"\} 4$/m);
    expect((await store.status()).controls).toMatchObject([{ kind: 'expire' }]);
  }
  clock.wrongMs = 0;
  await using store = await openStore(directory.path, clock, { retentionMs: 7 * DAY });
  // Tasks that the wrong clock put off are done, batches are still known, and commits are taken.
  await pass(store, clock, HOUR);
  expect(await holdOf(store)).toBeUndefined();
  const again = [{ agentId: 'last', seq: 0n }];
  expect(
    await store.commitSegment({ block: batchBlock('last', clock.trueMs), batches: again }),
  ).toMatchObject({
    committed: false,
  });
  await write(store, 'after', clock.trueMs);
  expect(await namesOf(store)).toEqual(['after', 'ahead', 'day 0', 'day 1', 'day 2', 'last']);
});

test('a clock that is ten days behind removes nothing, and neither does its correction', async () => {
  using directory = temporaryDirectory();
  const clock = { trueMs: START, wrongMs: 0 };
  await using store = await openStore(directory.path, clock, { retentionMs: 7 * DAY });
  await live(store, clock, 4);
  clock.wrongMs = -10 * DAY;
  await pass(store, clock, 3 * HOUR);
  // What could be a repeat from before is refused, to be sent again.
  const early = { block: batchBlock('behind', clock.trueMs), batches: [{ agentId: 'behind', seq: 0n }] };
  await expect(store.commitSegment(early)).rejects.toMatchObject({ code: 'unavailable' });
  clock.wrongMs = 0;
  await pass(store, clock, 3 * HOUR);
  expect(await store.commitSegment(early)).toEqual({ committed: true });
  await pass(store, clock, HOUR);
  expect(await namesOf(store)).toEqual(['behind', 'day 0', 'day 1', 'day 2', 'day 3']);
  expect(await store.commitSegment(early)).toMatchObject({ committed: false });
});

test('after ten days without a server nothing goes until somebody says so, and then what was said', async () => {
  using directory = temporaryDirectory();
  const clock = { trueMs: START, wrongMs: 0 };
  {
    await using store = await openStore(directory.path, clock, { retentionMs: 7 * DAY });
    await live(store, clock, 6);
  }
  clock.trueMs += 10 * DAY;
  await using store = await openStore(directory.path, clock, { retentionMs: 7 * DAY });
  await write(store, 'new', clock.trueMs);
  await pass(store, clock, 2 * HOUR);
  expect(await namesOf(store)).toHaveLength(7);
  expect(await holdOf(store)).toMatchObject({ kind: 'expire', hold: { blocks: 6 } });
  await store.controls.resume('expire', true);
  await pass(store, clock, MINUTE);
  expect(await namesOf(store)).toEqual(['new']);
  expect(await store.controls.list()).toEqual([]);
  // And from then on as ever.
  await pass(store, clock, HOUR);
  expect(await holdOf(store)).toBeUndefined();
});

test('a retention that is shortened from 30 days to one waits for a yes; the old one goes on meanwhile', async () => {
  using directory = temporaryDirectory();
  const clock = { trueMs: START, wrongMs: 0 };
  {
    await using store = await openStore(directory.path, clock);
    await live(store, clock, 29);
  }
  await using store = await openStore(directory.path, clock, { retentionMs: DAY });
  await pass(store, clock, HOUR);
  expect(await namesOf(store)).toHaveLength(29);
  const held = await holdOf(store);
  expect(held?.hold).toMatchObject({ blocks: 29, fromMs: START });
  expect(held?.hold?.reason).toMatch(/the retention was 720 h and is 24 h now/);
  await pass(store, clock, DAY + HOUR);
  expect(await namesOf(store)).not.toContain('day 0');
  expect(await namesOf(store)).toContain('day 1');
  await store.controls.resume('expire', true);
  await pass(store, clock, MINUTE);
  expect(await namesOf(store)).toEqual([]);
});

test('a retention that is back before anybody said yes takes the hold away', async () => {
  using directory = temporaryDirectory();
  const clock = { trueMs: START, wrongMs: 0 };
  {
    await using store = await openStore(directory.path, clock);
    await live(store, clock, 10);
  }
  {
    await using store = await openStore(directory.path, clock, { retentionMs: DAY });
    await pass(store, clock, HOUR);
    expect(await holdOf(store)).toBeDefined();
  }
  await using store = await openStore(directory.path, clock);
  await pass(store, clock, HOUR);
  expect(await holdOf(store)).toBeUndefined();
  expect(await namesOf(store)).toHaveLength(10);
});

test('what is paused is not taken up, by any process, until it is resumed', async () => {
  using directory = temporaryDirectory();
  const clock = { trueMs: START, wrongMs: 0 };
  await using store = await openStore(directory.path, clock);
  for (let at = 0; at < 6; at++) await write(store, `b${at}`, clock.trueMs);
  clock.trueMs += 5 * MINUTE;
  await store.controls.pause('merge', 'a look', clock.trueMs);
  await store.maintain();
  expect((await store.status()).levels.map(({ level }) => level)).toEqual([0]);
  expect(await store.registry.metrics()).toMatch(/^fleetflame_store_paused\{kind="merge"\} 1$/m);
  await store.controls.resume('merge', false);
  await store.maintain();
  expect((await store.status()).levels.map(({ level }) => level)).toEqual([1]);
  await expect(store.controls.pause('everything', '', 0)).rejects.toMatchObject({ code: 'invalid_input' });
});

test("yesterday's catalog under today's objects: the sweep holds back what it does not know", async () => {
  using directory = temporaryDirectory();
  const catalog = join(directory.path, 'catalog.db');
  // Objects carry the clock of the file system.
  const clock = { trueMs: Date.now() - DAY, wrongMs: 0 };
  {
    await using store = await openStore(directory.path, clock);
    await write(store, 'yesterday', clock.trueMs);
  }
  copyFileSync(catalog, `${catalog}.copy`);
  clock.trueMs = Date.now();
  {
    await using store = await openStore(directory.path, clock);
    await write(store, 'today', clock.trueMs);
  }
  for (const suffix of ['-wal', '-shm']) rmSync(`${catalog}${suffix}`, { force: true });
  copyFileSync(`${catalog}.copy`, catalog);
  await using store = await openStore(directory.path, clock);
  await pass(store, clock, 5 * HOUR);
  expect(objectFiles(directory.path)).toHaveLength(2);
  expect(await holdOf(store)).toMatchObject({ kind: 'sweep', hold: { blocks: 1 } });
  await store.controls.resume('sweep', true);
  await pass(store, clock, DELETED_GRACE_MS + 2 * HOUR);
  expect(objectFiles(directory.path)).toHaveLength(1);
  expect(await sumsByFunction(store)).toEqual(new Map([['yesterday', BATCH_SUM]]));
});

test('clocks of three hosts: one that is hours away is a doubt, one that agrees a confirmation', () => {
  expect(checkClocks(0, undefined)).toEqual({ doubt: undefined, isConfirmed: false });
  expect(checkClocks(0, 900)).toEqual({ doubt: undefined, isConfirmed: true });
  expect(checkClocks(0, -10 * DAY)).toMatchObject({
    doubt: expect.stringContaining('-240 h'),
    isConfirmed: false,
  });
  expect(checkClocks(10 * DAY, undefined)).toMatchObject({ doubt: expect.stringContaining('240 h') });
  expect(checkClocks(10 * DAY, 0)).toMatchObject({ doubt: expect.stringContaining("object storage's") });
});
