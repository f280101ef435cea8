/** Several processes on one catalog: who reads, who writes and who compacts know nothing of each other. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mergeBlocks, readBlock } from '@fleetflame/profile';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MergeRunner } from './compaction/merge-task.ts';
import { MAINTENANCE_LIMITS } from './maintenance/maintenance-limits.ts';
import { DELETED_GRACE_MS, SNAPSHOT_MAX_MS } from './maintenance/remover.ts';
import { ORPHAN_GRACE_MS } from './maintenance/sweeper.ts';
import { shardOf } from './shard-of.ts';
import { TestEngine } from './testing/catalog-engines.ts';
import { heldAt, openShared, type SharedPlace } from './testing/shared-stores.ts';
import { batchBlock, BATCH_SUM, sumsByFunction } from './testing/test-blocks.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';
import type { Store } from './store.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 22);
const ALL = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.start('postgres');
});
afterAll(() => engine[Symbol.asyncDispose]());

async function newPlace(): Promise<SharedPlace & Disposable> {
  const directory = temporaryDirectory();
  const place = await engine.newPlace();
  return {
    directory: directory.path,
    catalog: place.config,
    clock: { nowMs: START },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

const objectFiles = (place: SharedPlace) => readdirSync(join(place.directory, 'objects', 'blocks'));

/** What has no row is held back, since it may be all there is, until somebody says that it may go. */
async function removeOrphans(store: Store, place: SharedPlace): Promise<void> {
  await store.maintain();
  expect(await store.controls.list()).toMatchObject([{ kind: 'sweep', hold: { blocks: 1 } }]);
  await store.controls.resume('sweep', true);
  place.clock.nowMs += 11 * MINUTE;
  await store.maintain();
  expect(await store.controls.list()).toEqual([]);
}

async function write(store: Store, name: string, timeMs: number, service = 'api'): Promise<void> {
  const block = batchBlock(name, timeMs, service);
  const batches = [{ agentId: name, seq: 0n }];
  expect(await store.commitSegment({ block, batches })).toEqual({ committed: true });
}

test('I6: what one process reads stays for as long as a read may take, whoever compacts and removes', async () => {
  using place = await newPlace();
  await using reader = await openShared(place);
  await using compactor = await openShared(place);
  for (let at = 0; at < 6; at++) await write(reader, `b${at}`, START + at * 9000);
  place.clock.nowMs += 2 * MINUTE;
  const snapshot = await reader.snapshot(ALL);
  await compactor.maintain();
  expect(objectFiles(place)).toHaveLength(7);
  place.clock.nowMs += SNAPSHOT_MAX_MS;
  await compactor.maintain();
  for (const entry of snapshot.blocks) await readBlock(reader.source(entry), {});
  place.clock.nowMs += DELETED_GRACE_MS - SNAPSHOT_MAX_MS + MINUTE;
  await compactor.maintain();
  expect(objectFiles(place)).toHaveLength(1);
  // Who overstays finds the block gone, and cannot put the blame on it.
  const [gone] = snapshot.blocks;
  await expect(readBlock(reader.source(gone!), {})).rejects.toMatchObject({ code: 'not_found' });
  await reader.quarantine(gone!, 'not found');
  expect((await reader.status()).quarantined).toBe(0);
  snapshot.release();
});

test('I3: a writer that stands still between object and row finds its id taken, and writes again', async () => {
  using place = await newPlace();
  // Objects carry the clock of the file system: so does everybody here.
  place.clock.nowMs = Date.now();
  await using other = await openShared(place);
  const held = heldAt('commit');
  await using writer = await openShared(place, {}, held);
  const segment = { block: batchBlock('x', START), batches: [{ agentId: 'x', seq: 0n }] };
  const first = writer.commitSegment(segment);
  await held.reached;
  await other.maintain();
  expect(objectFiles(place)).toHaveLength(1);
  place.clock.nowMs += ORPHAN_GRACE_MS + MINUTE;
  await removeOrphans(other, place);
  held.goOn();
  await expect(first).rejects.toMatchObject({ code: 'unavailable' });
  expect(await writer.commitSegment(segment)).toEqual({ committed: true });
  place.clock.nowMs += DELETED_GRACE_MS + MINUTE;
  await other.maintain();
  expect(objectFiles(place)).toHaveLength(1);
  expect(await sumsByFunction(other)).toEqual(new Map([['x', BATCH_SUM]]));
});

test('a job whose process died is taken over when its lease has ended, and what the dead one swaps is refused', async () => {
  using place = await newPlace();
  const held = heldAt('swap');
  await using stopped = await openShared(place, {}, held);
  await using other = await openShared(place);
  for (let at = 0; at < 6; at++) await write(other, `b${at}`, START + at * 9000);
  place.clock.nowMs += 2 * MINUTE;
  const round = stopped.maintain();
  await held.reached;
  await other.maintain();
  expect((await other.status()).levels.map(({ level, blocks }) => [level, blocks])).toEqual([[0, 6]]);
  expect((await other.status()).jobs).toContainEqual({ kind: 'merge', waiting: 0, leased: 1, failing: 0 });
  place.clock.nowMs += MAINTENANCE_LIMITS.leaseMs + 1;
  await other.maintain();
  const after = [[1, 1]];
  expect((await other.status()).levels.map(({ level, blocks }) => [level, blocks])).toEqual(after);
  held.goOn();
  await round;
  expect(held.results).toEqual(['fenced_out']);
  expect((await other.status()).levels.map(({ level, blocks }) => [level, blocks])).toEqual(after);
  expect(await sumsByFunction(other)).toHaveProperty('size', 6);
  await stopped.close();
});

test('compactors in parallel share the work, small first, and every sum stays', async () => {
  using place = await newPlace();
  const stores = await Promise.all([1, 2, 3].map(() => openShared(place)));
  const [first] = stores;
  for (let minute = 0; minute < 30; minute++) {
    for (const store of stores.slice(0, 2))
      await write(store, `${minute}/${stores.indexOf(store)}`, place.clock.nowMs);
    place.clock.nowMs += MINUTE;
  }
  await Promise.all(stores.map((store) => store.maintain()));
  await Promise.all(stores.map((store) => store.maintain()));
  const sums = await sumsByFunction(first!);
  expect(sums.size).toBe(60);
  expect(new Set(sums.values())).toEqual(new Set([BATCH_SUM]));
  const { tasks } = await first!.status();
  expect(tasks.map((task) => [task.name, task.lastError])).toEqual([
    ['plan', undefined],
    ['sweep', undefined],
    ['expire', undefined],
    ['remove', undefined],
    ['recheck', undefined],
  ]);
  for (const store of stores) await store.close();
});

/** Shard, number of shards and service of every series; each must be where it belongs. */
async function servicesOf(store: Store): Promise<[number, number, string][]> {
  const found: [number, number, string][] = [];
  for (const entry of (await store.snapshot(ALL)).blocks) {
    const { block } = await readBlock(store.source(entry), {});
    for (let row = 0; row < block.series.length; row++) {
      const at = block.series.labelStart[row]!;
      const service =
        block.series.labelStart[row + 1]! > at ? block.strings.at(block.series.labelValue[at]!) : '';
      expect(entry.shard).toBe(shardOf('default', service, entry.shards));
      found.push([entry.shard, entry.shards, service]);
    }
  }
  return found;
}

test('from level 1 on a block has one shard, also after their number has changed', async () => {
  using place = await newPlace();
  const services = ['api', 'web', 'db', 'auth', 'mail', ''];
  {
    await using store = await openShared(place, { shards: 3 });
    const segment = mergeBlocks(services.map((service) => batchBlock(`of ${service}`, START, service)));
    await store.commitSegment({ block: segment, batches: [{ agentId: 'a', seq: 0n }] });
    place.clock.nowMs += 2 * MINUTE;
    await store.maintain();
    const found = await servicesOf(store);
    expect(found).toHaveLength(services.length);
    expect(new Set(found.map(([, shards]) => shards))).toEqual(new Set([3]));
    expect(new Set(found.map(([shard]) => shard)).size).toBeGreaterThan(1);
    const all = await store.snapshot(ALL);
    const one = await store.snapshot({ ...ALL, service: 'web' });
    expect(one.blocks).toHaveLength(1);
    expect(all.blocks.length).toBeGreaterThan(1);
    const { block } = await readBlock(store.source(one.blocks[0]!), {});
    expect(block.strings).toContain('web');
    for (const snapshot of [one, all]) snapshot.release();
  }
  await using store = await openShared(place, { shards: 2 });
  place.clock.nowMs += 2 * DAY;
  await store.maintain();
  const found = await servicesOf(store);
  expect(found).toHaveLength(services.length);
  expect(new Set(found.map(([, shards]) => shards))).toEqual(new Set([2]));
  expect(new Set((await sumsByFunction(store)).values())).toEqual(new Set([BATCH_SUM]));
});

test("yesterday's dump restored under today's objects: what is gone is named, what was forgotten may come again, once", async () => {
  using place = await newPlace();
  place.clock.nowMs = Date.now();
  const startMs = place.clock.nowMs - 2 * MINUTE;
  const dump = join(place.directory, 'yesterday.dump');
  if (place.catalog.engine !== 'postgres' || engine.postgres === undefined)
    throw new Error('it is PostgreSQL');
  {
    await using store = await openShared(place);
    for (const name of ['a', 'b', 'c']) await write(store, name, startMs);
    engine.postgres.dump(place.catalog.url, dump);
    await store.maintain();
    await write(store, 'today', startMs);
    // A day passes: the objects that were merged into another are removed.
    for (const ms of [DAY, DELETED_GRACE_MS + MINUTE]) {
      place.clock.nowMs += ms;
      await store.maintain();
    }
    expect(objectFiles(place)).toHaveLength(1);
  }
  engine.postgres.restore(place.catalog.url, dump);
  await using store = await openShared(place);
  const snapshot = await store.snapshot(ALL);
  expect(snapshot.blocks).toHaveLength(3);
  for (const entry of snapshot.blocks) {
    await expect(readBlock(store.source(entry), {})).rejects.toMatchObject({ code: 'not_found' });
  }
  snapshot.release();
  // As far as anybody knows yesterday's batches are there, and today's were never sent.
  const again = (name: string) =>
    store.commitSegment({ block: batchBlock(name, startMs), batches: [{ agentId: name, seq: 0n }] });
  expect(await again('a')).toMatchObject({ committed: false });
  expect(await again('today')).toEqual({ committed: true });
  expect(await again('today')).toMatchObject({ committed: false });
  // The sweep names what is missing, and removes what no row names, after its grace and a yes.
  place.clock.nowMs += ORPHAN_GRACE_MS + MINUTE;
  await removeOrphans(store, place);
  expect((await store.status()).quarantined).toBe(3);
  expect(await sumsByFunction(store)).toEqual(new Map([['today', BATCH_SUM]]));
  place.clock.nowMs += DELETED_GRACE_MS + MINUTE;
  await store.maintain();
  expect(objectFiles(place)).toHaveLength(1);
});

test('a compactor that is asked to stop gives its job back: the next one does it at once', async () => {
  using place = await newPlace();
  const begun = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  // As the thread does: what it is at is given up.
  const merges: MergeRunner = {
    async run() {
      begun.resolve();
      await closed.promise;
      return { ok: false, code: 'cancelled', message: 'the thread is closing', inputId: undefined };
    },
    close() {
      closed.resolve();
      return Promise.resolve();
    },
  };
  const first = await openShared(place, {}, { merges });
  await using second = await openShared(place);
  for (const name of ['a', 'b', 'c']) await write(first, name, START);
  place.clock.nowMs += 2 * MINUTE;
  const round = first.maintain();
  await begun.promise;
  const blocks = async (): Promise<[number, number][]> =>
    (await second.status()).levels.map(({ level, blocks: count }) => [level, count]);
  await second.maintain();
  expect(await blocks()).toEqual([[0, 3]]);
  await first.close();
  await round;
  await second.maintain();
  expect(await blocks()).toEqual([[1, 1]]);
  expect(await sumsByFunction(second)).toEqual(
    new Map([
      ['a', BATCH_SUM],
      ['b', BATCH_SUM],
      ['c', BATCH_SUM],
    ]),
  );
});
