/** What values mean, asked over RPC: the same from raw blocks, in whatever pieces they are, and from rollups. */
import { scaled, testSeed } from '@fleetflame/testing';
import { mergeBlocks, SERIES_KINDS, type Block, type SeriesKind } from '@fleetflame/profile';
import {
  blockFromText,
  blocksOfSnapshots,
  TEST_SNAPSHOT_TYPE,
  type Snapshot,
} from '@fleetflame/profile/testing';
import { ExportFormat } from '@fleetflame/proto/query/v1/query';
import { afterEach, expect, test } from 'vitest';
import { QueryServer } from './testing/query-server.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 9, 1);

const servers: QueryServer[] = [];
async function start(...options: Parameters<typeof QueryServer.start>): Promise<QueryServer> {
  const server = await QueryServer.start(...options);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const scope = (profileType: string, fromMs: number, toMs: number) => ({
  fromMs: BigInt(START + fromMs),
  toMs: BigInt(START + toMs),
  profileType,
});

async function total(server: QueryServer, type: string, fromMs: number, toMs: number): Promise<number> {
  const asked = scope(type, fromMs, toMs);
  const { total: top } = await server.client.top({ scope: asked, limit: 1 });
  const { groups } = await server.client.series({ scope: asked, stepMs: BigInt(toMs - fromMs) });
  const exported = await server.client.export({ scope: asked, format: ExportFormat.FOLDED });
  expect([groups[0]?.total ?? 0n, exported.total]).toEqual([top, top]);
  return Number(top);
}

test('a minute of CPU is a tenth of a core in each of its seconds, also where a range begins inside it', async () => {
  const server = await start();
  const [minute] = blocksOfSnapshots(
    'rate',
    { service_name: 'api' },
    [{ timeMs: START, durationMs: MINUTE, values: { main: 6e9 } }],
    CPU,
  );
  if (minute !== undefined) await server.commit(minute);
  // What is in the range says nothing of profiles that began before it.
  const others = { profileType: 'wall:wall:nanoseconds:wall:nanoseconds', timeMs: START + 40_000 };
  await server.commit(blockFromText('main 1', others));
  const { groups } = await server.client.series({ scope: scope(CPU, 0, MINUTE), stepMs: 10_000n });
  expect(groups.map(({ values }) => values)).toEqual([[1e9, 1e9, 1e9, 1e9, 1e9, 1e9].map(BigInt)]);
  expect(await total(server, CPU, 0, MINUTE)).toBe(6e9);
  expect(await total(server, CPU, 30_000, MINUTE)).toBe(3e9);
  expect(await total(server, CPU, -HOUR, 15_000)).toBe(1.5e9);
  expect(await total(server, CPU, MINUTE, HOUR)).toBe(0);
});

test('snapshots in blocks of their own are one mean, one increase', async () => {
  const server = await start();
  const values = [100, 200, 300, 400, 500];
  const snapshots = values.map((value, i) => ({
    timeMs: START + 10_000 * i,
    values: { 'main;fill': value },
  }));
  for (const block of blocksOfSnapshots('gauge', { service_name: 'api' }, snapshots))
    await server.commit(block);
  const alloc = 'memory:alloc_space:bytes:space:bytes';
  for (const block of blocksOfSnapshots('cumulative', { service_name: 'api' }, snapshots, alloc))
    await server.commit(block);
  const { types } = await server.client.profileTypes({ fromMs: BigInt(START), toMs: BigInt(START + MINUTE) });
  expect(types.map(({ id, kinds }) => [id, kinds])).toEqual([
    [alloc, ['cumulative']],
    [TEST_SNAPSHOT_TYPE, ['gauge']],
  ]);
  expect(await total(server, TEST_SNAPSHOT_TYPE, 0, MINUTE)).toBe(300);
  expect(await total(server, alloc, 0, MINUTE)).toBe(400);
  // The profile before the range is where counting begins.
  expect(await total(server, alloc, 5000, MINUTE)).toBe(400);
  expect(await total(server, alloc, 25_000, MINUTE)).toBe(200);
});

/** Random profiles of two hosts over three hours; a cumulative one restarts now and then. */
function randomSnapshots(random: () => number, kind: SeriesKind): Block[] {
  return ['a', 'b'].flatMap((host_name) => {
    const snapshots: Snapshot[] = [];
    let a = 0;
    let b = 0;
    for (let timeMs = START; timeMs < START + 3 * HOUR;) {
      timeMs += 1 + Math.floor(random() * 4 * MINUTE);
      if (random() < 0.1) a = b = 0;
      a = kind === 'cumulative' ? a + Math.floor(random() * 100) : Math.floor(random() * 100);
      b = kind === 'cumulative' ? b + Math.floor(random() * 9) : Math.floor(random() * 9);
      snapshots.push({
        timeMs,
        durationMs: kind === 'rate' ? Math.floor(random() * 15 * MINUTE) : 0,
        values: { ...(random() < 0.8 || kind === 'cumulative' ? { 'main;a': a } : {}), 'main;b': b },
      });
    }
    return blocksOfSnapshots(kind, { service_name: 'api', host_name }, snapshots);
  });
}

test('what lies in a range is the same from rollups and raw blocks: of rates in any range, of others in whole cells', async () => {
  const seed = testSeed();
  const random = seededRandom(seed);
  for (const kind of SERIES_KINDS) {
    for (let run = 0; run < scaled(1, 20); run++) {
      const clock = { nowMs: START };
      const now = () => clock.nowMs;
      const plain = await start({}, { now });
      const rollups = { fiveMinutesMs: 200 * DAY, hourMs: 400 * DAY };
      const rolled = await start({}, { now, retentionMs: 100 * DAY, rollups });
      for (const block of groups(randomSnapshots(random, kind), random)) {
        clock.nowMs = Math.max(clock.nowMs, block.timeEndMs + MINUTE);
        for (const server of [plain, rolled]) await server.commit(block);
      }
      const compare = async (laterMs: number): Promise<void> => {
        for (const [from, to] of [
          [0, 3 * HOUR],
          [HOUR, 2 * HOUR],
          [25 * MINUTE, 95 * MINUTE],
          [10 * MINUTE, 15 * MINUTE],
          ...(kind === 'rate' ? anyRanges(random) : []),
        ] as const) {
          const what = `${kind} from ${from} to ${to}, ${laterMs} ms later, FLEETFLAME_SEED=${seed}`;
          expect(await total(rolled, TEST_SNAPSHOT_TYPE, from, to), what).toBe(
            await total(plain, TEST_SNAPSHOT_TYPE, from, to),
          );
        }
      };
      // First raw blocks of ten minutes and hours, with rollups of five minutes; then a day, with rollups of an hour.
      for (const laterMs of [2 * MINUTE, 30 * HOUR]) {
        for (const ms of [laterMs, MINUTE, MINUTE]) {
          clock.nowMs += ms;
          await rolled.store.maintain();
        }
        await compare(laterMs);
      }
    }
  }
});

/**
 * Ranges that cut cells: any, such that rollups answer up to an hour at which raw blocks end, and such that a profile may
 * reach over all that rollups answer of them.
 */
function anyRanges(random: () => number): (readonly [number, number])[] {
  return Array.from({ length: 4 }, () => {
    const from = Math.floor(random() * 90 * MINUTE);
    const hour = HOUR * (1 + Math.floor(random() * 2));
    return [
      [from, from + 1 + Math.floor(random() * HOUR)] as const,
      [from % HOUR, hour + 1 + Math.floor(random() * 4 * MINUTE)] as const,
      [hour - Math.floor(random() * 3 * MINUTE), hour + 6 * MINUTE + Math.floor(random() * MINUTE)] as const,
    ];
  }).flat();
}

/** The blocks by time, some of them merged. */
function groups(blocks: readonly Block[], random: () => number): Block[] {
  const sorted = blocks.toSorted((a, b) => a.timeStartMs - b.timeStartMs);
  const out: Block[] = [];
  while (sorted.length > 0) out.push(mergeBlocks(sorted.splice(0, 1 + Math.floor(random() * 8))));
  return out;
}

function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
