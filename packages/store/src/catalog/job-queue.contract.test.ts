/** Jobs, their leases and their fences, on a real SQLite, a real PostgreSQL, and in memory. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONTRACTED, memoryPlace, TestEngine, type EmptyPlace } from '../testing/catalog-engines.ts';
import { WHOLE, type BlockEntry } from './block-entry.ts';
import type { Claim, NewJob } from './job-queue.ts';

const LEASE_MS = 1000;
const LONGEST_MS = 100_000;

function entry(id: string, fields: Partial<BlockEntry> = {}): BlockEntry {
  const times = { timeMinMs: 1000, timeMaxMs: 1999 };
  return { ...WHOLE, id, key: `blocks/${id}`, level: 0, ...times, sizeBytes: 10, rows: 3, ...fields };
}

const job = (id: string, priority = 1): NewJob => ({
  id,
  kind: 'merge',
  subject: id,
  payload: '{}',
  priority,
});

const claim = (nowMs: number, owner = 'me'): Claim => ({
  owner,
  nowMs,
  leaseMs: LEASE_MS,
  longestMs: LONGEST_MS,
  backOffMs: (attempts) => attempts * 100,
});

describe.each(CONTRACTED)('jobs in %s', (name) => {
  let engine: TestEngine | undefined;
  beforeAll(async () => {
    if (name !== 'memory') engine = await TestEngine.start(name);
  });
  afterAll(() => engine?.[Symbol.asyncDispose]());
  const newPlace = async (): Promise<EmptyPlace> => (await engine?.newPlace()) ?? memoryPlace();

  test('what a clock that was ahead has leased or put off is due when it has been set', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    const aheadMs = 10 * LONGEST_MS;
    for (const id of ['leased', 'waiting']) await catalog.jobs.add(job(id), [], 0);
    const lost = await catalog.jobs.claim({ kind: 'merge', id: 'leased' }, claim(aheadMs));
    const given = await catalog.jobs.claim({ kind: 'merge', id: 'waiting' }, claim(aheadMs));
    await catalog.jobs.giveBack(given!, { nowMs: aheadMs, notBeforeMs: aheadMs + 1, error: undefined });
    expect(await catalog.jobs.claim({ kind: 'merge' }, claim(100, 'other'))).toMatchObject({ id: 'leased' });
    expect(await catalog.jobs.claim({ kind: 'merge' }, claim(100, 'other'))).toMatchObject({ id: 'waiting' });
    expect(await catalog.jobs.claim({ kind: 'merge' }, claim(100, 'other'))).toBeUndefined();
    expect(await catalog.jobs.finish(lost!, 'done', 100)).toBe(false);
  });

  test('small jobs come first, and each is leased to one at a time', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    for (const [id, priority] of [
      ['big', 9],
      ['small', 1],
      ['middle', 5],
    ] as const) {
      expect(await catalog.jobs.add(job(id, priority), [], 0)).toBe(true);
    }
    const claims = await Promise.all(
      Array.from({ length: 5 }, () => catalog.jobs.claim({ kind: 'merge' }, claim(10))),
    );
    const ids = claims.flatMap((claimed) => (claimed === undefined ? [] : [claimed.id]));
    expect(ids.toSorted()).toEqual(['big', 'middle', 'small']);
    expect(claims[0]).toMatchObject({ id: 'small', lease: 1, attempts: 1 });
    expect(await catalog.jobs.claim({ kind: 'other' }, claim(10))).toBeUndefined();
    expect(await catalog.jobs.totals(10)).toEqual([{ kind: 'merge', waiting: 0, leased: 3, failing: 0 }]);
  });

  test('I5: who lost the lease is fenced out, and what it swaps is refused', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    for (const id of ['a', 'b']) await catalog.commit(entry(id), [], 0);
    await catalog.jobs.add(job('j'), ['a', 'b'], 0);
    const first = (await catalog.jobs.claim({ kind: 'merge' }, claim(0, 'first')))!;
    expect(await catalog.jobs.claim({ kind: 'merge' }, claim(LEASE_MS - 1, 'second'))).toBeUndefined();
    expect(await catalog.jobs.renew(first, 2 * LEASE_MS)).toBe(true);
    expect(await catalog.jobs.claim({ kind: 'merge' }, claim(LEASE_MS + 1, 'second'))).toBeUndefined();
    const second = (await catalog.jobs.claim({ kind: 'merge' }, claim(2 * LEASE_MS, 'second')))!;
    expect(second).toMatchObject({ id: 'j', lease: 2, attempts: 2 });

    const inputs = ['a', 'b'];
    const late = await catalog.swap({ inputs, outputs: [entry('late')], lease: first }, 5);
    expect(late).toBe('fenced_out');
    expect(await catalog.rollUp({ inputs, outputs: [entry('late')], lease: first }, 5)).toBe('fenced_out');
    expect(await catalog.jobs.renew(first, 9 * LEASE_MS)).toBe(false);
    expect(await catalog.jobs.finish(first, 'done', 5)).toBe(false);
    expect(await catalog.jobs.giveBack(first, { nowMs: 5, notBeforeMs: 5, error: 'x' })).toBe(false);
    expect((await catalog.view(0, 5000)).blocks.map(({ id }) => id)).toEqual(['a', 'b']);

    expect(await catalog.swap({ inputs, outputs: [entry('m')], lease: second }, 6)).toBe('swapped');
    expect(await catalog.swap({ inputs: [], outputs: [entry('n')], lease: second }, 6)).toBe('fenced_out');
    expect((await catalog.view(0, 5000)).blocks.map(({ id }) => id)).toEqual(['m']);
    expect(await catalog.jobs.list(10)).toMatchObject([
      { id: 'j', state: 'ended', outcome: 'done', owner: 'second', attempts: 2, endedMs: 6 },
    ]);
  });

  test('a lease that ran out without a successor still counts: nobody else has begun', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    await catalog.commit(entry('a'), [], 0);
    await catalog.jobs.add(job('j'), ['a'], 0);
    const lease = (await catalog.jobs.claim({ kind: 'merge' }, claim(0)))!;
    const swap = { inputs: ['a'], outputs: [entry('m')], lease };
    expect(await catalog.swap(swap, 100 * LEASE_MS)).toBe('swapped');
  });

  test('a job has its blocks to itself until it ends', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    for (const id of ['a', 'b', 'c']) await catalog.commit(entry(id), [], 0);
    expect(await catalog.jobs.add(job('j'), ['a', 'b'], 0)).toBe(true);
    expect(await catalog.jobs.add(job('k'), ['b', 'c'], 0)).toBe(false);
    expect(await catalog.jobs.add(job('l'), ['nothing'], 0)).toBe(false);
    const free = async () =>
      (await catalog.compaction.rising([{ level: 1, beforeMs: 5000 }], 10)).map(({ id }) => id);
    expect(await free()).toEqual(['c']);
    await catalog.relevel('a', 4);
    await catalog.quarantine('b', 'damaged', 1);
    expect(await catalog.compaction.ofJob('j')).toEqual([entry('a')]);
    const lease = (await catalog.jobs.claim({ kind: 'merge' }, claim(0)))!;
    expect(lease.id).toBe('j');
    await catalog.jobs.finish(lease, 'input_quarantined', 2);
    expect(await free()).toEqual(['a', 'c']);
    expect((await catalog.jobs.list(10)).map(({ id, outcome }) => [id, outcome])).toEqual([
      ['j', 'input_quarantined'],
    ]);
  });

  test('a job that was not done waits, longer each time, also when it took its process along', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    await catalog.jobs.add(job('j'), [], 0);
    const first = (await catalog.jobs.claim({ kind: 'merge' }, claim(0)))!;
    await catalog.jobs.giveBack(first, { nowMs: 5, notBeforeMs: 700, error: 'no such luck' });
    expect(await catalog.jobs.list(10)).toMatchObject([
      { state: 'waiting', lastError: 'no such luck', notBeforeMs: 700, attempts: 1 },
    ]);
    expect(await catalog.jobs.totals(10)).toEqual([{ kind: 'merge', waiting: 1, leased: 0, failing: 1 }]);
    expect(await catalog.jobs.claim({ kind: 'merge' }, claim(699))).toBeUndefined();
    const backOffMs = (attempts: number) => attempts * 3 * LEASE_MS;
    expect(await catalog.jobs.claim({ kind: 'merge' }, { ...claim(700), backOffMs })).toBeDefined();
    // Its process dies: the lease ends, the wait goes on.
    expect(await catalog.jobs.claim({ kind: 'merge' }, claim(700 + 2 * LEASE_MS))).toBeUndefined();
    const third = (await catalog.jobs.claim({ kind: 'merge' }, claim(700 + 6 * LEASE_MS)))!;
    expect(third).toMatchObject({ lease: 3, attempts: 3 });
    await catalog.jobs.giveBack(third, { nowMs: 9000, notBeforeMs: 9000, error: undefined });
    expect(await catalog.jobs.claim({ kind: 'merge' }, claim(9000))).toMatchObject({ lease: 4, attempts: 1 });
  });

  test('a recurring job is there once, and ended ones are forgotten in time', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    await catalog.jobs.ensure(job('t'), 0);
    const lease = (await catalog.jobs.claim({ kind: 'merge', id: 't' }, claim(0)))!;
    await catalog.jobs.ensure(job('t'), 5);
    expect(await catalog.jobs.renew(lease, 10)).toBe(true);
    await catalog.jobs.finish(lease, 'done', 20);
    expect(await catalog.jobs.purge(20)).toBe(0);
    expect(await catalog.jobs.purge(21)).toBe(1);
    expect(await catalog.jobs.list(10)).toEqual([]);
  });

  test('windows with several small blocks are found; others, and those of jobs, are not', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    const minute = (id: string, start: number, fields: Partial<BlockEntry> = {}) =>
      catalog.commit(entry(id, { level: 1, timeMinMs: start, timeMaxMs: start + 5, ...fields }), [], 0);
    await minute('a', 60_000);
    await minute('b', 119_999);
    await minute('other-window', 120_000);
    await minute('other-shard', 60_000, { shard: 1, shards: 2 });
    await minute('other-tenant', 60_000, { tenant: 'x' });
    await minute('other-resolution', 60_000, { resolutionMs: 300_000 });
    await minute('other-level', 60_000, { level: 2 });
    await minute('large', 60_000, { sizeBytes: 1000 });
    await minute('many-points', 60_000, { points: 1000 });
    const windows = [{ level: 1, windowMs: 60_000 }];
    const small = { bytes: 100, points: 100 };
    const found = await catalog.compaction.crowded(windows, small, 5);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ level: 1, startMs: 60_000, tenant: 'default', shard: 0, shards: 1 });
    expect((await catalog.compaction.inWindow(found[0]!, 9)).map(({ id }) => id)).toEqual([
      'a',
      'b',
      'many-points',
      'large',
    ]);
    await catalog.jobs.add(job('j'), ['a'], 0);
    expect(await catalog.compaction.crowded(windows, small, 5)).toEqual([]);
  });

  test('what is rolled up stays, is marked, and is not rolled up twice', async () => {
    using place = await newPlace();
    await using catalog = await place.open();
    for (const id of ['a', 'b']) await catalog.commit(entry(id, { level: 4 }), [], 0);
    const todo = async () => (await catalog.compaction.notRolledUp(0, 4, 9)).map(({ id }) => id);
    expect(await todo()).toEqual(['a', 'b']);
    const rollup = entry('r', { resolutionMs: 300_000, droppedLabels: ['host_name', 'thread_name'] });
    expect(await catalog.rollUp({ inputs: ['a'], outputs: [rollup] }, 1)).toBe('swapped');
    expect(await catalog.rollUp({ inputs: ['a'], outputs: [entry('s')] }, 1)).toBe('inputs_gone');
    expect(await todo()).toEqual(['b']);
    const listed = await catalog.page({ fromMs: 0, toMs: 5000 }, undefined, 9);
    expect(listed.map(({ block }) => block)).toEqual([
      entry('a', { level: 4, rolledUp: true }),
      entry('b', { level: 4 }),
      rollup,
    ]);
  });
});
