import { readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBlock } from '@fleetflame/profile';
import { blockFromText, describeBlock } from '@fleetflame/profile/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { WHOLE } from './catalog/block-entry.ts';
import { DELETED_GRACE_MS } from './maintenance/remover.ts';
import { ORPHAN_GRACE_MS } from './maintenance/sweeper.ts';
import { BatchRanges } from './origin/batch-ranges.ts';
import { sealBlock } from './seal-block.ts';
import { Store, type StoreOptions } from './store.ts';
import { batchBlock, BATCH_SUM, sumsByFunction } from './testing/test-blocks.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 22);
const ALL = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

interface Clock {
  nowMs: number;
}

async function openStore(dataDir: string, clock: Clock, options: Partial<StoreOptions> = {}) {
  const registry = new Registry();
  const log = pino({ level: 'silent' });
  const now = () => clock.nowMs;
  const store = await Store.open({ dataDir, retentionMs: 7 * DAY, log, registry, now, ...options });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

/** Segments every ten seconds from START; returns the sums that must be there. */
async function fill(store: Store, clock: Clock, count: number, agentId = 'a'): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (let seq = 0; seq < count; seq++) {
    clock.nowMs += 10_000;
    const name = `${agentId}/${seq}`;
    const block = batchBlock(name, clock.nowMs - 10_000);
    const batches = [{ agentId, seq: BigInt(seq) }];
    expect(await store.commitSegment({ block, batches })).toEqual({ committed: true });
    sums.set(name, BATCH_SUM);
  }
  return sums;
}

const objectFiles = (dataDir: string) => readdirSync(join(dataDir, 'objects', 'blocks'));

test('a committed segment is read back equal, also after a restart', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START };
  const block = blockFromText('main;parse 30\nmain;write 12 @+1000', { timeMs: START });
  {
    await using store = await openStore(directory.path, clock);
    await store.commitSegment({ block, batches: [{ agentId: 'a', seq: 0n }] });
  }
  await using store = await openStore(directory.path, clock);
  const snapshot = await store.snapshot(ALL);
  expect(snapshot.newestSampleMs).toBe(START + 1000);
  const [entry] = snapshot.blocks;
  expect(entry).toMatchObject({ level: 0, timeMinMs: START, timeMaxMs: START + 1000, rows: 2 });
  const read = await readBlock(store.source(entry!), {});
  expect(describeBlock(read.block)).toEqual(describeBlock(block));
});

test('I2: a repeated batch is named, and the segment that repeats it leaves nothing behind', async () => {
  using directory = temporaryDirectory();
  await using store = await openStore(directory.path, { nowMs: START });
  const batches = [{ agentId: 'a', seq: 0n }];
  await store.commitSegment({ block: batchBlock('x', START), batches });
  const again = await store.commitSegment({
    block: batchBlock('x', START),
    batches: [...batches, { agentId: 'a', seq: 1n }],
  });
  expect(again).toEqual({ committed: false, duplicates: batches, conflicts: [] });
  expect(await sumsByFunction(store)).toEqual(new Map([['x', BATCH_SUM]]));
  expect(objectFiles(directory.path)).toHaveLength(1);
});

test('a directory belongs to one store at a time', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START };
  await using store = await openStore(directory.path, clock);
  await expect(openStore(directory.path, clock)).rejects.toMatchObject({ code: 'unavailable' });
  await store.close();
  await (await openStore(directory.path, clock)).close();
});

test('I5: segments become wider and wider windows with the same sums at every step', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START + 22 * HOUR };
  await using store = await openStore(directory.path, clock);
  const sums = await fill(store, clock, 120);
  const levels = async () => (await store.status()).levels.map(({ level, blocks }) => [level, blocks]);
  const steps: [number, unknown][] = [
    [
      30_000,
      [
        [1, 10],
        [2, 1],
      ],
    ],
    [HOUR, [[3, 1]]],
    [HOUR, [[4, 1]]],
    [26 * HOUR, [[5, 1]]],
  ];
  for (const [laterMs, expected] of steps) {
    clock.nowMs += laterMs;
    await store.maintain();
    expect(await levels()).toEqual(expected);
    expect(await sumsByFunction(store)).toEqual(sums);
  }
  const [day] = (await store.snapshot(ALL)).blocks;
  expect(day).toMatchObject({ rows: 120, timeMinMs: START + 22 * HOUR });
});

test('I6: objects of replaced blocks stay for the grace, and longer while a snapshot reads them', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START };
  await using store = await openStore(directory.path, clock);
  await fill(store, clock, 6);
  const snapshot = await store.snapshot(ALL);
  clock.nowMs += 2 * MINUTE;
  await store.maintain();
  expect(objectFiles(directory.path)).toHaveLength(7);
  clock.nowMs += DELETED_GRACE_MS + MINUTE;
  await store.maintain();
  expect(objectFiles(directory.path)).toHaveLength(7);
  for (const entry of snapshot.blocks) await readBlock(store.source(entry), {});
  snapshot.release();
  snapshot.release();
  clock.nowMs += MINUTE;
  await store.maintain();
  expect(objectFiles(directory.path)).toHaveLength(1);
  expect(await sumsByFunction(store)).toHaveProperty('size', 6);
});

test('I7: a damaged block is quarantined with the reason; the others are merged without it', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START };
  await using store = await openStore(directory.path, clock);
  const sums = await fill(store, clock, 6);
  const victim = (await store.snapshot(ALL)).blocks[2]!;
  const path = join(directory.path, 'objects', victim.key);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 0x40;
  writeFileSync(path, bytes);
  clock.nowMs += 2 * MINUTE;
  await store.maintain();
  await store.maintain();
  const snapshot = await store.snapshot(ALL);
  expect(snapshot.quarantined).toMatchObject([{ id: victim.id, timeMinMs: victim.timeMinMs }]);
  expect(snapshot.quarantined[0]!.reason).not.toBe('');
  expect(snapshot.blocks).toMatchObject([{ level: 1, rows: 5 }]);
  const without = new Map(sums);
  without.delete('a/2');
  expect(await sumsByFunction(store)).toEqual(without);
  // It stays aside while it is damaged, and counts again when it was only damaged on its way.
  clock.nowMs += 15 * MINUTE;
  await store.maintain();
  expect(await sumsByFunction(store)).toEqual(without);
  bytes[bytes.length >> 1]! ^= 0x40;
  writeFileSync(path, bytes);
  clock.nowMs += 15 * MINUTE;
  await store.maintain();
  expect((await store.status()).quarantined).toBe(0);
  expect(await sumsByFunction(store)).toEqual(sums);
});

test('retention drops blocks that are wholly older, and only those', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START };
  await using store = await openStore(directory.path, clock, { retentionMs: DAY });
  const commit = (name: string, timeMs: number) =>
    store.commitSegment({ block: batchBlock(name, timeMs), batches: [{ agentId: name, seq: 0n }] });
  await commit('old', START - DAY - 5000);
  await commit('edge', START - DAY - 500);
  await commit('new', START);
  await store.maintain();
  expect([...(await sumsByFunction(store)).keys()].toSorted()).toEqual(['edge', 'new']);
});

test('I3: a leftover without a row is removed after its grace, never before; what may be more than that never by itself', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: Date.now() };
  await using store = await openStore(directory.path, clock);
  const batches = [{ agentId: 'twice', seq: 0n }];
  const block = batchBlock('twice', clock.nowMs);
  // Written by a process that died before its row; the agent sent the batch again.
  const from = { work: undefined, batches: BatchRanges.of(batches, clock.nowMs) };
  const leftover = sealBlock(block, { ...WHOLE, level: 0 }, clock.nowMs, from);
  await store.objects.put(leftover.entry.key, leftover.bytes);
  expect(await store.commitSegment({ block, batches })).toEqual({ committed: true });
  await store.objects.put('blocks/unreadable', new Uint8Array(10));
  await store.objects.put('symbols/other', new Uint8Array(10));
  const files = ['blocks/unreadable', leftover.entry.key].map((key) => join(directory.path, 'objects', key));
  await store.maintain();
  for (const file of files) expect(statSync(file).size).toBeGreaterThan(0);
  const writtenS = (clock.nowMs - ORPHAN_GRACE_MS - MINUTE) / 1000;
  for (const file of files) utimesSync(file, writtenS, writtenS);
  clock.nowMs += 11 * MINUTE;
  await store.maintain();
  clock.nowMs += DELETED_GRACE_MS + MINUTE;
  await store.maintain();
  const left = await store.objects.list('');
  expect(left).not.toContain(leftover.entry.key);
  expect(left).toEqual(expect.arrayContaining(['blocks/unreadable', 'symbols/other']));
  expect(await store.controls.list()).toMatchObject([{ kind: 'sweep', hold: { blocks: 1, bytes: 10 } }]);
  expect(await sumsByFunction(store)).toEqual(new Map([['twice', BATCH_SUM]]));
});

test('I3: a row whose object is gone is quarantined', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START };
  await using store = await openStore(directory.path, clock);
  await fill(store, clock, 1);
  const [entry] = (await store.snapshot(ALL)).blocks;
  rmSync(join(directory.path, 'objects', entry!.key));
  await store.maintain();
  const snapshot = await store.snapshot(ALL);
  expect(snapshot.blocks).toEqual([]);
  expect(snapshot.quarantined).toMatchObject([{ id: entry!.id, reason: expect.stringContaining('object') }]);
});

test('metrics and status say what is stored and what was done', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START };
  const registry = new Registry();
  await using store = await openStore(directory.path, clock, { registry });
  await fill(store, clock, 12);
  clock.nowMs += 30_000;
  await store.maintain();
  const text = await registry.metrics();
  expect(text).toMatch(/^fleetflame_store_blocks\{level="1"\} 2$/m);
  expect(text).toMatch(/^fleetflame_store_blocks\{level="deleted"\} 12$/m);
  expect(text).toMatch(/^fleetflame_store_rows\{level="1"\} 12$/m);
  expect(text).toMatch(/^fleetflame_store_bytes\{level="1"\} [1-9]/m);
  expect(text).toMatch(/^fleetflame_store_quarantined_blocks 0$/m);
  expect(text).toMatch(/^fleetflame_store_jobs\{kind="task",state="waiting"\} 5$/m);
  expect(text).toMatch(/^fleetflame_store_merges_total\{level="1",outcome="done"\} 2$/m);
  const status = await store.status();
  expect(status).toMatchObject({ batches: 12, quarantined: 0, deleted: { blocks: 12 } });
  expect(status.tasks.map((task) => [task.name, task.lastError])).toEqual([
    ['plan', undefined],
    ['sweep', undefined],
    ['expire', undefined],
    ['remove', undefined],
    ['recheck', undefined],
  ]);
});

test('a closed store refuses segments and may be closed again', async () => {
  using directory = temporaryDirectory();
  const store = await openStore(directory.path, { nowMs: START });
  await Promise.all([store.close(), store.close()]);
  const commit = store.commitSegment({ block: batchBlock('x', START), batches: [] });
  await expect(commit).rejects.toMatchObject({ code: 'unavailable' });
});
