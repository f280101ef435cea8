/** Rollups of a real store: their sums, their age, and what of them a snapshot reads. */
import { readBlock } from '@fleetflame/profile';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Store, type Snapshot, type SnapshotRange } from './store.ts';
import { batchBlock, BATCH_SUM } from './testing/test-blocks.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 9, 1);
const NEEDS = { labels: ['service_name'] };

async function openStore(dataDir: string, clock: { nowMs: number }) {
  const store = await Store.open({
    dataDir,
    retentionMs: 4 * DAY,
    rollups: { fiveMinutesMs: 20 * DAY, hourMs: 100 * DAY },
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    now: () => clock.nowMs,
  });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

/** The sum of all points that count, by resolution. */
async function sums(
  store: Store,
  range: SnapshotRange,
): Promise<{ snapshot: Snapshot; sums: Map<number, number> }> {
  const snapshot = await store.snapshot(range);
  const sums = new Map<number, number>();
  for (const entry of snapshot.blocks) {
    const { block } = await readBlock(store.source(entry), {});
    let sum = 0;
    for (let at = 0; at < block.samples.time.length; at++) {
      const time = block.timeStartMs + block.samples.time[at]!;
      if (time >= entry.range.fromMs && time < entry.range.toMs) sum += block.samples.value[at]!;
    }
    sums.set(entry.resolutionMs, (sums.get(entry.resolutionMs) ?? 0) + sum);
  }
  snapshot.release();
  return { snapshot, sums };
}

const sumOf = (found: ReadonlyMap<number, number>) => [...found.values()].reduce((a, b) => a + b, 0);

/** Weeks in one step, which somebody has to say were so. */
async function leapTo(store: Store, clock: { nowMs: number }, ms: number): Promise<void> {
  clock.nowMs = ms;
  await store.maintain();
  await store.controls.resume('expire', true);
  clock.nowMs += MINUTE;
  await store.maintain();
}

test('raw data becomes rollups with equal sums, late samples too; raw goes, rollups stay, and gaps are named', async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: START };
  await using store = await openStore(directory.path, clock);
  let seq = 0n;
  const write = async (timeMs: number) => {
    const batches = [{ agentId: 'a', seq }];
    await store.commitSegment({ block: batchBlock(`b${seq % 5n}`, timeMs), batches });
    seq++;
  };
  for (let hour = 0; hour < 60; hour++) {
    clock.nowMs = START + hour * HOUR;
    await write(clock.nowMs);
    if (hour % 12 === 11) await store.maintain();
  }
  const whole = { fromMs: START, toMs: START + 60 * HOUR, needs: NEEDS };
  const raw = { fromMs: START, toMs: START + 60 * HOUR };
  for (const laterMs of [2 * HOUR, 26 * HOUR, 20 * MINUTE]) {
    clock.nowMs += laterMs;
    await store.maintain();
    await store.maintain();
    expect(sumOf((await sums(store, whole)).sums)).toBe(Number(seq) * BATCH_SUM);
    expect((await sums(store, raw)).sums).toEqual(new Map([[0, Number(seq) * BATCH_SUM]]));
  }
  // Two days are in rollups of an hour, the rest is at least in those of five minutes.
  const { snapshot, sums: rolled } = await sums(store, whole);
  expect([...rolled.keys()].toSorted((a, b) => a - b)).toEqual([300_000, 3_600_000]);
  expect(snapshot.blocks.every((block) => block.droppedLabels.includes('host_name'))).toBe(true);
  expect(snapshot.gaps).toEqual([]);

  // A late sample is raw until it is rolled up as well, and counts once all the time.
  await write(START + 30 * HOUR + 1);
  expect(sumOf((await sums(store, whole)).sums)).toBe(Number(seq) * BATCH_SUM);
  for (let round = 0; round < 3; round++) {
    clock.nowMs += 11 * MINUTE;
    await store.maintain();
    expect(sumOf((await sums(store, whole)).sums)).toBe(Number(seq) * BATCH_SUM);
  }
  const edges = { fromMs: START + 90 * MINUTE, toMs: START + 50 * HOUR + 30 * MINUTE, needs: NEEDS };
  const exact = sumOf((await sums(store, { fromMs: edges.fromMs, toMs: edges.toMs })).sums);
  expect(sumOf((await sums(store, edges)).sums)).toBe(exact);

  await leapTo(store, clock, START + 10 * DAY);
  expect((await sums(store, raw)).sums.size).toBe(0);
  const months = await sums(store, whole);
  expect(sumOf(months.sums)).toBe(Number(seq) * BATCH_SUM);
  expect(months.snapshot.gaps).toEqual([]);
  const byHost = await sums(store, { ...whole, needs: { labels: ['host_name'] } });
  expect(byHost.snapshot.blocks).toEqual([]);
  expect(byHost.snapshot.gaps).toMatchObject([
    { fromMs: START, toMs: START + 60 * HOUR, reason: expect.stringContaining('host_name') },
  ]);
  const edge = await sums(store, { ...whole, fromMs: START + 1000 });
  expect(edge.snapshot.gaps).toMatchObject([
    { fromMs: START + 1000, toMs: START + 300_000, reason: expect.stringContaining('Raw samples') },
  ]);

  await leapTo(store, clock, START + 30 * DAY);
  const { sums: hours } = await sums(store, whole);
  expect([...hours.keys()]).toEqual([3_600_000]);
  await leapTo(store, clock, START + 110 * DAY);
  expect((await sums(store, whole)).sums.size).toBe(0);
});

test('retention that would drop data before it is rolled up is refused', async () => {
  using directory = temporaryDirectory();
  const open = (retentionMs: number, fiveMinutesMs: number, hourMs: number) =>
    Store.open({
      dataDir: directory.path,
      retentionMs,
      rollups: { fiveMinutesMs, hourMs },
      log: pino({ level: 'silent' }),
      registry: new Registry(),
    });
  for (const [raw, five, hour] of [
    [DAY, 10 * DAY, 10 * DAY],
    [5 * DAY, 4 * DAY, 10 * DAY],
    [5 * DAY, 10 * DAY, 9 * DAY],
  ] as const) {
    await expect(open(raw, five, hour)).rejects.toMatchObject({ code: 'invalid_input', field: 'retention' });
  }
});
