/** What the sweep removes of objects that have no row: what proves itself to be a leftover, and nothing else. */
import { copyFileSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { adoptStore } from '../adoption/adopt-store.ts';
import { WHOLE, type BlockEntry } from '../catalog/block-entry.ts';
import { runMerge, type MergeRequest } from '../compaction/merge-task.ts';
import { withOfflineStore } from '../offline-store.ts';
import { BatchRanges } from '../origin/batch-ranges.ts';
import { sealBlock } from '../seal-block.ts';
import { Store, type StoreOptions } from '../store.ts';
import { batchBlock, BATCH_SUM, sumsByFunction } from '../testing/test-blocks.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { DELETED_GRACE_MS } from './remover.ts';
import { ORPHAN_GRACE_MS } from './sweeper.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

class Place {
  readonly directory = temporaryDirectory();
  readonly catalog = join(this.directory.path, 'catalog.db');
  // Objects carry the clock of the file system; in the middle of a minute, as blocks end with minutes.
  readonly clock = { nowMs: Math.floor(Date.now() / MINUTE) * MINUTE + MINUTE / 2 };

  async open(options: Partial<StoreOptions> = {}): Promise<Store & AsyncDisposable> {
    const store = await Store.open({
      dataDir: this.directory.path,
      retentionMs: 30 * DAY,
      log: pino({ level: 'silent' }),
      registry: new Registry(),
      now: () => this.clock.nowMs,
      ...options,
    });
    return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
  }

  async write(store: Store, name: string, seq: number): Promise<void> {
    const batches = [{ agentId: name, seq: BigInt(seq) }];
    const block = batchBlock(name, this.clock.nowMs - 1000);
    expect(await store.commitSegment({ block, batches })).toEqual({ committed: true });
  }

  /** As a work that died before its commit: what it wrote is there, and has no row. Returns its keys. */
  async attempt(store: Store, request: Partial<MergeRequest>): Promise<string[]> {
    const { blocks } = await store.catalog.view(0, Number.MAX_SAFE_INTEGER);
    const reply = await runMerge(
      {
        objects: { engine: 'directory', root: join(this.directory.path, 'objects') },
        inputs: blocks,
        nowMs: this.clock.nowMs,
        shards: 1,
        rollUp: undefined,
        erase: undefined,
        ...request,
      },
      store.objects,
    );
    if (!reply.ok) throw new Error(reply.message);
    return reply.outputs.map(({ key }) => key);
  }

  /** Past every grace, with all objects as old as that. */
  async later(store: Store, ms = 2 * ORPHAN_GRACE_MS): Promise<void> {
    for (const key of await store.objects.list('blocks/')) {
      const seconds = (this.clock.nowMs - ms) / 1000;
      utimesSync(join(this.directory.path, 'objects', key), seconds, seconds);
    }
    for (const passed of [11 * MINUTE, DELETED_GRACE_MS + MINUTE, 11 * MINUTE]) {
      this.clock.nowMs += passed;
      await store.maintain();
    }
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

const held = async (store: Store) => (await store.controls.hold('sweep'))?.blocks ?? 0;
const keys = (store: Store) => store.objects.list('blocks/');
const ids = (entries: readonly BlockEntry[]) => entries.map(({ id }) => id);

test('works that died leave what goes by itself, however small the store is: a merge, a rollup, an erasure', async () => {
  using place = new Place();
  await using store = await place.open({ rollups: { fiveMinutesMs: 60 * DAY, hourMs: 90 * DAY } });
  await store.controls.pause('merge', '', place.clock.nowMs);
  await store.controls.pause('rollup', '', place.clock.nowMs);
  for (const seq of [0, 1, 2]) await place.write(store, 'a', seq);
  const { blocks } = await store.catalog.view(0, Number.MAX_SAFE_INTEGER);
  const dead = [
    ...(await place.attempt(store, {})),
    ...(await place.attempt(store, { rollUp: { resolutionMs: 300_000, dropLabels: [] } })),
    ...(await place.attempt(store, { inputs: blocks.slice(0, 1), erase: { name: 'none', value: 'x' } })),
  ];
  expect(dead).toHaveLength(2);
  await place.later(store);
  expect(await held(store)).toBe(0);
  expect(await keys(store)).toEqual(blocks.map(({ key }) => key).toSorted());
  // Of inputs that have been merged meanwhile the catalog knows where they went.
  const late = await place.attempt(store, {});
  await store.controls.resume('merge', false);
  place.clock.nowMs += HOUR;
  await store.maintain();
  await place.later(store);
  expect(await held(store)).toBe(0);
  expect(await keys(store)).not.toEqual(expect.arrayContaining(late));
  expect(await sumsByFunction(store)).toEqual(new Map([['a', 3 * BATCH_SUM]]));
});

test('under an older catalog nothing goes, not even a little; adopting takes it over, and then there is nothing to hold', async () => {
  using place = new Place();
  {
    await using store = await place.open();
    for (let seq = 0; seq < 40; seq++) await place.write(store, `old ${seq}`, 0);
  }
  copyFileSync(place.catalog, `${place.catalog}.copy`);
  {
    await using store = await place.open();
    // Less than the share that might go without asking.
    await place.write(store, 'new', 0);
    place.clock.nowMs += 11 * MINUTE;
    // Merged, with one that the older catalog knows.
    await store.maintain();
    await place.write(store, 'newest', 0);
  }
  for (const suffix of ['-wal', '-shm']) rmSync(place.catalog + suffix, { force: true });
  copyFileSync(`${place.catalog}.copy`, place.catalog);
  let lacking = 0;
  {
    await using store = await place.open();
    await store.controls.pause('merge', '', place.clock.nowMs);
    const before = await keys(store);
    await place.later(store);
    await place.later(store);
    lacking = await held(store);
    expect(lacking).toBeGreaterThan(0);
    // What was merged since counts here as it was before; what is in none of these stays.
    expect((await store.controls.hold('sweep'))?.reason).toMatch(/store adopt/);
    expect((await keys(store)).length).toBeGreaterThanOrEqual(before.length - 1);
  }
  await withOfflineStore({ dataDir: place.directory.path, registry: new Registry() }, (offline) =>
    adoptStore({ ...offline, apply: true }),
  );
  await using store = await place.open();
  await place.later(store);
  expect(await held(store)).toBe(0);
  const sums = await sumsByFunction(store);
  expect(sums.size).toBe(42);
  expect(new Set(sums.values())).toEqual(new Set([BATCH_SUM]));
});

test('what proves nothing is held until its samples are past the retention, and then goes like any others', async () => {
  using place = new Place();
  await using store = await place.open({ retentionMs: 2 * DAY });
  await place.write(store, 'a', 0);
  const from = { work: undefined, batches: BatchRanges.of([{ agentId: 'b', seq: 0n }], place.clock.nowMs) };
  const { entry, bytes } = sealBlock(
    batchBlock('b', place.clock.nowMs),
    { ...WHOLE, level: 0 },
    place.clock.nowMs,
    from,
  );
  await store.objects.put(entry.key, bytes);
  await place.later(store);
  expect(await held(store)).toBe(1);
  for (let hour = 0; hour < 50; hour++) {
    place.clock.nowMs += HOUR;
    await place.write(store, 'a', 1 + hour);
    await store.maintain();
  }
  expect(await held(store)).toBe(0);
  place.clock.nowMs += DELETED_GRACE_MS + MINUTE;
  await store.maintain();
  expect(await keys(store)).not.toContain(entry.key);
  expect(ids((await store.snapshot({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER })).blocks)).not.toContain(
    entry.id,
  );
});
