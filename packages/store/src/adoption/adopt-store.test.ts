/** A catalog that was lost, or is yesterday's, is made again from the objects: every sum is what it was. */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SeededRandom } from '../testing/seeded-random.ts';
import { testSeed } from '@fleetflame/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { withOfflineStore } from '../offline-store.ts';
import { Store, type StoreOptions } from '../store.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { batchBlock } from '../testing/test-blocks.ts';
import { adoptStore, type Adoption } from './adopt-store.ts';

const log = pino({ level: 'silent' });
const DAY = 86_400_000;
const T = Date.UTC(2026, 9, 1);

const options = (dataDir: string, now: () => number): StoreOptions => ({
  dataDir,
  log,
  registry: new Registry(),
  retentionMs: 300 * DAY,
  rollups: { fiveMinutesMs: 300 * DAY, hourMs: 400 * DAY },
  now,
});

async function adopt(dataDir: string, apply = true): Promise<Adoption> {
  return withOfflineStore({ dataDir, registry: new Registry() }, (offline) =>
    adoptStore({ ...offline, apply }),
  );
}

/** Total of what a raw question, and one that rollups may answer, would read. */
async function sums(store: Store): Promise<number[]> {
  const found: number[] = [];
  for (const needs of [undefined, { labels: [] }]) {
    const snapshot = await store.snapshot({ fromMs: T - DAY, toMs: T + 30 * DAY, needs });
    let total = 0;
    for (const entry of snapshot.blocks) {
      const { fromMs, toMs } = entry.range;
      const { block } = await store.read(entry, async (source) =>
        (await import('@fleetflame/profile')).readBlock(source),
      );
      const { time, value } = block.samples;
      for (let at = 0; at < time.length; at++) {
        const ms = block.timeStartMs + time[at]!;
        if (ms >= fromMs && ms < toMs) total += value[at]!;
      }
    }
    expect(snapshot.quarantined).toEqual([]);
    snapshot.release();
    found.push(total);
  }
  return found;
}

test('a lost catalog: sums and batches are what they were, whatever lies in the bucket beside', async () => {
  using directory = temporaryDirectory();
  const random = new SeededRandom(testSeed());
  const clock = { nowMs: T };
  const now = () => clock.nowMs;
  let store = await Store.open(options(directory.path, now));
  let expected = 0;
  const batches: { agentId: string; seq: bigint }[] = [];
  for (let i = 0; i < 60; i++) {
    clock.nowMs += 1 + random.below(8 * 60_000);
    const block = batchBlock(`s${i % 3}`, clock.nowMs - 1000);
    expected += block.samples.total.reduce((sum, value) => sum + value, 0);
    const batch = { agentId: `a${i % 4}`, seq: BigInt(i) };
    batches.push(batch);
    expect(await store.commitSegment({ block, batches: [batch] })).toEqual({ committed: true });
    if (random.below(4) === 0) await store.maintain();
  }
  // Merged and rolled up; the objects of the inputs are still there.
  clock.nowMs += 3_600_000;
  await store.maintain();
  expect(await sums(store)).toEqual([expected, expected]);
  await store.close();
  for (const suffix of ['', '-wal', '-shm'])
    rmSync(join(directory.path, `catalog.db${suffix}`), { force: true });
  await expect(Store.open(options(directory.path, now))).rejects.toThrow(/store adopt --yes/);

  const shown = await adopt(directory.path, false);
  expect(shown.plan.replaced.length).toBeGreaterThan(0);
  await expect(Store.open(options(directory.path, now)), 'only shown').rejects.toThrow(/store adopt --yes/);
  const adopted = await adopt(directory.path);
  expect(adopted.added).toEqual(shown.added);
  expect(adopted).toMatchObject({ unreadable: [], plan: { guessed: [] } });

  store = await Store.open(options(directory.path, now));
  expect(await sums(store)).toEqual([expected, expected]);
  const last = batches.at(-1)!;
  const repeat = await store.commitSegment({ block: batchBlock('s', clock.nowMs), batches: [last] });
  expect(repeat).toMatchObject({ committed: false, duplicates: [last] });
  // Compaction goes on from there, and nothing changes.
  clock.nowMs += 2 * 3_600_000;
  await store.maintain();
  expect(await sums(store)).toEqual([expected, expected]);
  await store.close();
  expect((await adopt(directory.path)).added, 'again: there is nothing to do').toEqual([]);
});

test("yesterday's catalog is completed by what was written since", async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: T };
  const now = () => clock.nowMs;
  const commit = async (store: Store, from: number, to: number): Promise<number> => {
    let sum = 0;
    for (let i = from; i < to; i++) {
      clock.nowMs += 20_000;
      const block = batchBlock('s', clock.nowMs - 1000);
      sum += block.samples.total.reduce((total, value) => total + value, 0);
      await store.commitSegment({ block, batches: [{ agentId: 'a', seq: BigInt(i) }] });
    }
    return sum;
  };
  let store = await Store.open(options(directory.path, now));
  let expected = await commit(store, 0, 20);
  await store.close();
  copyFileSync(join(directory.path, 'catalog.db'), join(directory.path, 'copy.db'));
  store = await Store.open(options(directory.path, now));
  expected += await commit(store, 20, 40);
  clock.nowMs += 3_600_000;
  await store.maintain();
  await store.close();
  for (const suffix of ['-wal', '-shm']) rmSync(join(directory.path, `catalog.db${suffix}`), { force: true });
  copyFileSync(join(directory.path, 'copy.db'), join(directory.path, 'catalog.db'));
  await adopt(directory.path);
  store = await Store.open(options(directory.path, now));
  expect(await sums(store)).toEqual([expected, expected]);
  await store.close();
});

test('what was erased stays erased, also while its objects are there', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: T };
  const now = () => clock.nowMs;
  const write = async (store: Store, name: string, seq: number): Promise<number> => {
    clock.nowMs += 61_000;
    const block = batchBlock(name, clock.nowMs - 1000, name);
    await store.commitSegment({ block, batches: [{ agentId: 'a', seq: BigInt(seq) }] });
    return block.samples.total.reduce((total, value) => total + value, 0);
  };
  let store = await Store.open(options(directory.path, now));
  // Segments of their own, of which nothing is left; and one block with both, of which the rest is.
  const kept = (await write(store, 'kept', 0)) + (await write(store, 'kept', 1));
  await write(store, 'secret', 2);
  clock.nowMs += 3_600_000;
  await store.maintain();
  await write(store, 'secret', 3);
  await store.controls.pause('merge', '', clock.nowMs);
  await store.erase({ name: 'service_name', value: 'secret' });
  await store.maintain();
  expect((await sums(store))[0]).toBe(kept);
  await store.close();
  for (const suffix of ['', '-wal', '-shm'])
    rmSync(join(directory.path, `catalog.db${suffix}`), { force: true });
  await adopt(directory.path);
  store = await Store.open(options(directory.path, now));
  expect((await sums(store))[0]).toBe(kept);
  const repeat = await store.commitSegment({
    block: batchBlock('secret', clock.nowMs, 'secret'),
    batches: [{ agentId: 'a', seq: 3n }],
  });
  expect(repeat.committed).toBe(false);
  await store.close();
});
