/** What a pushed value is, from the file to the block: snapshots are known also where a label, or everything, is missing. */
import { encodePprof, foldKinds, mergeBlocks, readBlock, readFooter, type Block } from '@fleetflame/profile';
import { blockFromText, rawPprof } from '@fleetflame/profile/testing';
import { expect, test } from 'vitest';
import { startIngestServer } from './testing/ingest-server.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const GOROUTINES = 'goroutine:goroutine:count:goroutine:count';
const T = Math.floor(Date.now() / 1000) * 1000 - 120_000;

function file(text: string, labels: Readonly<Record<string, string>> = {}): Uint8Array {
  const block = blockFromText(text, { profileType: GOROUTINES, labels, timeMs: T, period: 1 });
  return encodePprof(block, { profileType: GOROUTINES });
}

async function mean(files: readonly Uint8Array[], kind = ''): Promise<number> {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: { segmentMs: 20 } });
  for (const [i, profile] of files.entries()) {
    const timeMs = BigInt(T + 10_000 * i);
    await server.client.writePprof({
      profile,
      labels: { service_name: 'api', host_name: 'a' },
      timeMs,
      kind,
    });
  }
  const snapshot = await server.store.snapshot({ fromMs: T - 1000, toMs: T + 60_000 });
  const blocks: Block[] = [];
  for (const entry of snapshot.blocks)
    blocks.push((await server.store.read(entry, (source) => readBlock(source))).block);
  snapshot.release();
  return foldKinds(mergeBlocks(blocks), [T, T + 60_000]).samples.total.reduce((a, b) => a + b, 0);
}

test('six snapshots of 100 goroutines are 100, and one of nothing counts', async () => {
  const hundred = file('main;serve 100');
  expect(await mean([hundred, hundred, hundred, hundred, hundred, hundred])).toBe(100);
  expect(await mean([hundred, file('')])).toBe(50);
});

test('a series without a period is noted once', async () => {
  const block = blockFromText('main 7', { profileType: GOROUTINES, labels: {}, timeMs: T, period: 0 });
  expect(await mean([encodePprof(block, { profileType: GOROUTINES })])).toBe(7);
});

test('a label that a snapshot does not have was not there', async () => {
  const both = file('main;a 10', { pool: 'x' });
  expect(await mean([both, file('main;b 4', { pool: 'y' })])).toBe(5 + 2);
});

test('who pushes may say what it is', async () => {
  const hundred = file('main;serve 100');
  expect(await mean([hundred, hundred], 'rate')).toBe(200);
  expect(await mean([hundred, file('main;serve 130')], 'cumulative')).toBe(30);
  await expect(mean([hundred], 'bananas')).rejects.toThrow(
    /kind is "bananas": it is one of rate, gauge, cumulative/,
  );
});

test('what a file wants to be shown first is stored with its service, not with that of others', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: { segmentMs: 20 } });
  const { bytes, int, rawProfile } = rawPprof;
  const strings = [
    '',
    'alloc_space',
    'bytes',
    'main',
    'inuse_space',
    'main.c',
    'space',
    'x',
    '',
    'app',
    'ab',
  ];
  for (const [service, wanted] of [
    ['api', 4],
    ['db', 0],
  ] as const) {
    const profile = rawProfile({
      sampleType: [...bytes(1, int(1, 1), int(2, 2)), ...bytes(1, int(1, 4), int(2, 2))],
      sample: bytes(2, bytes(1, [1]), bytes(2, [100, 7])),
      function: [...bytes(5, int(1, 1), int(2, 3)), ...bytes(5, int(1, 2), int(2, 7))],
      strings: strings.flatMap((text) => bytes(6, text)),
      periodType: bytes(11, int(1, 6), int(2, 2)),
      more: int(14, wanted),
    });
    await server.client.writePprof({ profile, labels: { service_name: service }, timeMs: BigInt(T) });
  }
  const snapshot = await server.store.snapshot({ fromMs: T - 1000, toMs: T + 60_000 });
  const marked = new Set<string>();
  for (const entry of snapshot.blocks) {
    const footer = await server.store.read(entry, readFooter);
    for (const dataset of footer.datasets)
      if (dataset.isDefault) marked.add(`${dataset.profileType} ${dataset.serviceName}`);
  }
  snapshot.release();
  expect([...marked]).toEqual(['memory:inuse_space:bytes:space:bytes api']);
});

test('a profile that is pushed as of now ended now: none of it is to come', async () => {
  using directory = temporaryDirectory();
  await using server = await startIngestServer(directory.path, { limits: { segmentMs: 20 } });
  const block = blockFromText('main 6000', { timeMs: T });
  const profile = encodePprof(block, {
    profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    fromMs: T,
    toMs: T + 60_000,
  });
  const labels = { service_name: 'api' };
  const before = Date.now();
  const now = await server.client.writePprof({ profile, labels, timeMs: BigInt(before) });
  expect(Number(now.timeMs)).toBeLessThanOrEqual(Date.now() - 60_000);
  expect(Number(now.timeMs)).toBeGreaterThanOrEqual(before - 60_000);
  expect(Number((await server.client.writePprof({ profile, labels, timeMs: BigInt(T) })).timeMs)).toBe(T);
});
