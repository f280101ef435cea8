/** Data with a label is erased from every block, in whatever state it is, and nothing else changes. */
import { mergeBlocks, readBlock } from '@fleetflame/profile';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { ERASE_LIMITS } from './maintenance/eraser.ts';
import { Store } from './store.ts';
import { batchBlock, BATCH_SUM, sumsByFunction } from './testing/test-blocks.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 9, 1);
const ALL = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

async function openStore(dataDir: string, clock: { nowMs: number }) {
  const store = await Store.open({
    dataDir,
    retentionMs: 10 * DAY,
    rollups: { fiveMinutesMs: 20 * DAY, hourMs: 100 * DAY, dropLabels: ['host_name'] },
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    now: () => clock.nowMs,
  });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

/** Every string of every live block, rollups too. */
async function strings(store: Store): Promise<Set<string>> {
  const found = new Set<string>();
  for (const { block: entry } of await store.catalog.page(ALL, undefined, 1000)) {
    const { block } = await readBlock(store.source(entry), {});
    for (const text of block.strings) found.add(text);
  }
  return found;
}

async function outcome(store: Store, id: string) {
  return (await store.catalog.jobs.list(100, 'erase')).find((job) => job.id === id);
}

test('what has the label is gone from segments, days and rollups, names included; the rest is as it was', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START };
  await using store = await openStore(directory.path, clock);
  let seq = 0n;
  const write = async () => {
    const services = ['api', 'secret', 'db'];
    const block = mergeBlocks(services.map((name) => batchBlock(`${name}-${seq}`, clock.nowMs, name)));
    await store.commitSegment({ block, batches: [{ agentId: 'a', seq: seq++ }] });
  };
  for (let hour = 0; hour < 50; hour += 5) {
    clock.nowMs = START + hour * HOUR;
    await write();
    await store.maintain();
  }
  clock.nowMs += 11 * MINUTE;
  await write();
  const before = await sumsByFunction(store);
  expect(before.get('secret-0')).toBe(BATCH_SUM);
  expect(await strings(store)).toContain('secret');

  const doomed = (await store.catalog.page(ALL, undefined, 1000)).map(({ block }) => block.key);

  const id = await store.erase({ name: 'service_name', value: 'secret' });
  expect(await outcome(store, id)).toMatchObject({
    state: 'waiting',
    subject: 'all with service_name="secret"',
  });
  await store.maintain();
  expect(await outcome(store, id)).toMatchObject({
    state: 'ended',
    outcome: expect.stringMatching(/^erased [1-9]/),
  });
  expect([...(await strings(store))].filter((text) => text.startsWith('secret'))).toEqual([]);
  const kept = new Map([...before].filter(([name]) => !name.startsWith('secret')));
  expect(await sumsByFunction(store)).toEqual(kept);

  // Again: there is nothing, and nothing happens.
  const again = await store.erase({ name: 'service_name', value: 'secret' });
  await store.maintain();
  expect((await outcome(store, again))?.outcome).toMatch(/^erased 0 rows of 0 blocks/);
  expect(await sumsByFunction(store)).toEqual(kept);

  // Rollups cannot lose what they have summed over, and the job says so.
  const host = await store.erase({ name: 'host_name', value: 'x' });
  await store.maintain();
  expect((await outcome(store, host))?.outcome).toContain('rollups have no such label');

  // What compaction does afterwards brings nothing back, and the objects go.
  for (const ms of [3 * DAY, HOUR, HOUR]) {
    clock.nowMs += ms;
    await store.maintain();
  }
  expect([...(await strings(store))].filter((text) => text.startsWith('secret'))).toEqual([]);
  const left = new Set(await store.objects.list('blocks/'));
  expect(doomed.filter((key) => left.has(key))).toEqual([]);
});

test('a label without name or value is refused', async () => {
  using directory = temporaryDirectory();
  await using store = await openStore(directory.path, { nowMs: START });
  await expect(store.erase({ name: '', value: 'x' })).rejects.toMatchObject({ field: 'label_name' });
  await expect(store.erase({ name: 'x', value: '' })).rejects.toMatchObject({ field: 'label_value' });
});

test('so many erasures may be open, each of a label that could be one; asking again for one that waits is the same', async () => {
  using directory = temporaryDirectory();
  await using store = await openStore(directory.path, { nowMs: START });
  const ask = (value: string, name = 'host_name') => store.erase({ name, value });
  const [first, ...others] = await Promise.all(
    Array.from({ length: ERASE_LIMITS.openErasures }, async (_, i) => ask(`v${i}`)),
  );
  expect(new Set([first, ...others]).size).toBe(ERASE_LIMITS.openErasures);
  expect(await ask('v0')).toBe(first);
  await expect(ask('one more')).rejects.toMatchObject({ code: 'overloaded' });
  await expect(ask('x'.repeat(ERASE_LIMITS.eraseValueLength + 1))).rejects.toMatchObject({
    code: 'limit_exceeded',
    field: 'label_value',
  });
  await expect(ask('x', 'n'.repeat(ERASE_LIMITS.eraseNameLength + 1))).rejects.toMatchObject({
    field: 'label_name',
  });
});
