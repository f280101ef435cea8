/** What is true of objects while everything between us and the server goes wrong, again and again. */
import { createHash } from 'node:crypto';
import { testSeed } from '@fleetflame/testing';
import { FleetflameError } from '@fleetflame/profile';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaultyS3, S3_FAULTS } from '../../testing/faulty-s3.ts';
import { Rgw } from '../../testing/rgw.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { ObjectMetrics } from '../object-metrics.ts';
import type { S3ObjectStoreConfig } from './s3-config.ts';
import type { S3Limits } from './s3-limits.ts';
import { S3ObjectStore } from './s3-object-store.ts';

const SEED = testSeed();
const BYTES = new Uint8Array(50_000).fill(7);
/** An attempt is given up before a late answer comes; the whole is not, for a test. */
const PATIENT: Partial<S3Limits> = {
  attemptMs: 400,
  firstWaitMs: 2,
  lastWaitMs: 20,
  totalMs: 60_000,
  attempts: 100,
};
const LATE_MS = 600;

let rgw: Rgw;
let direct: S3ObjectStoreConfig;
beforeAll(async () => {
  rgw = await Rgw.start();
  direct = await rgw.createBucket();
});
afterAll(async () => {
  await rgw[Symbol.asyncDispose]();
});

async function faulty(seed: number): Promise<FaultyS3> {
  const proxy = await FaultyS3.start(rgw.endpoint, seed);
  proxy.lateMs = LATE_MS;
  return proxy;
}

function randomBytes(random: SeededRandom, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.below(256);
  return bytes;
}

test(`nothing is lost and no byte is wrong when a third of all requests goes wrong (FLEETFLAME_SEED=${SEED})`, async () => {
  await using proxy = await faulty(SEED);
  proxy.inject(0.33, S3_FAULTS);
  const registry = new Registry();
  const config = {
    ...(await rgw.createBucket('p/')),
    endpoint: proxy.endpoint,
    limits: { ...PATIENT, pageKeys: 7 },
  };
  const store = new S3ObjectStore(config, new ObjectMetrics(registry).record);
  const random = new SeededRandom(SEED + 1);
  const model = new Map<string, Uint8Array>();
  const gone = new Set<string>();

  const steps: readonly ((key: string, bytes: Uint8Array, i: number) => Promise<void>)[] = [
    async (key, bytes) => {
      expect(Buffer.compare(await store.get(key), bytes), key).toBe(0);
    },
    async (key, bytes) => {
      const from = random.below(bytes.length + 1);
      const length = random.below(bytes.length - from + 1);
      const part = await store.range(key, from, length);
      expect(Buffer.compare(part, bytes.subarray(from, from + length)), key).toBe(0);
    },
    async (key, bytes) => {
      expect(await store.size(key)).toBe(bytes.length);
    },
    async (key, bytes) => {
      const other = Uint8Array.of(...bytes.subarray(0, 100), 1);
      await expect(store.put(key, other)).rejects.toMatchObject({ code: 'invalid_input' });
      await store.put(key, bytes);
    },
    async (key) => {
      model.delete(key);
      gone.add(key);
      await store.delete(key);
    },
    async (_key, _bytes, i) => {
      await expect(store.get(`none/${i}`)).rejects.toMatchObject({ code: 'not_found' });
    },
  ];
  const step = async (i: number, lane: number): Promise<void> => {
    const present = [...model].filter(([key]) => key.endsWith(`-${lane}`));
    const old = present[random.below(present.length)];
    const run = steps[random.below(steps.length)];
    if (old !== undefined && run !== undefined && random.next() < 0.6) {
      await run(old[0], old[1], i);
      return;
    }
    const key = `k/${String(i).padStart(4, '0')}-${lane}`;
    const bytes = randomBytes(random, random.below(20_000));
    await store.put(key, bytes);
    model.set(key, bytes);
  };
  // Several at once, each with its own keys: requests meet late ones at the server.
  const lanes = [0, 1, 2, 3].map(async (lane) => {
    for (let i = 0; i < 30; i++) await step(i, lane);
  });
  await Promise.all(lanes);

  const listed = (await store.list('k/')).filter((key) => !gone.has(key));
  expect(listed).toEqual([...model.keys()].toSorted());
  const honest = new S3ObjectStore({ ...config, endpoint: rgw.endpoint });
  for (const [key, bytes] of model) expect(Buffer.compare(await honest.get(key), bytes), key).toBe(0);
  // A test that injects nothing shows nothing.
  const injected = [...proxy.injected.values()].reduce((sum, count) => sum + count, 0);
  expect(injected).toBeGreaterThan(20);
  expect(proxy.injected.size).toBeGreaterThan(S3_FAULTS.length / 2);
  expect(await registry.metrics()).toContain('fleetflame_objects_retries_total{');
});

test('a body that was changed on its way is refused by the server, and sent again', async () => {
  await using proxy = await faulty(1);
  let garbled = 0;
  proxy.choose = ({ method }) => (method === 'PUT' && garbled++ < 2 ? 'garbled' : undefined);
  const store = new S3ObjectStore({ ...direct, endpoint: proxy.endpoint, limits: PATIENT });
  await store.put('garbled', BYTES);
  expect(garbled).toBe(3);
  const stored = await new S3ObjectStore(direct).get('garbled');
  expect(createHash('sha256').update(stored).digest('hex')).toBe(
    createHash('sha256').update(BYTES).digest('hex'),
  );
});

test('a put that was done, but not heard of, is done; other bytes under its key are refused all the same', async () => {
  await using proxy = await faulty(1);
  const store = new S3ObjectStore({ ...direct, endpoint: proxy.endpoint, limits: PATIENT });
  for (const fault of ['unheard', 'hung up', 'late'] as const) {
    let puts = 0;
    proxy.choose = ({ method }) => (method === 'PUT' && puts++ === 0 ? fault : undefined);
    await store.put(`key ${fault}`.replaceAll(' ', '-'), BYTES);
    expect(puts).toBeGreaterThan(1);
    puts = 0;
    const other = store.put(`key ${fault}`.replaceAll(' ', '-'), BYTES.subarray(1));
    await expect(other).rejects.toMatchObject({ code: 'invalid_input', field: 'key' });
  }
});

test('a server that refuses everything is unavailable, with how often it was asked', async () => {
  await using proxy = await faulty(1);
  proxy.choose = () => 'refused';
  const registry = new Registry();
  const limits = { attempts: 4, firstWaitMs: 1 };
  const store = new S3ObjectStore(
    { ...direct, endpoint: proxy.endpoint, limits },
    new ObjectMetrics(registry).record,
  );
  const failure = await store.get('any').then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(FleetflameError);
  expect(failure).toMatchObject({ code: 'unavailable' });
  expect(String(failure)).toMatch(
    /bucket test-.* at http:.*4 attempts in .* s failed; at the last one it answers/,
  );
  expect(await registry.metrics()).toContain('fleetflame_objects_refused_total{limit="totalMs"} 1');
});

test('a slow answer is overtaken by a second request, for reads and for writes', async () => {
  await using proxy = await faulty(1);
  const registry = new Registry();
  // An attempt is not given up: whoever is done soon was overtaken.
  const limits = { attemptMs: 60_000, hedgeShare: 1 };
  const store = new S3ObjectStore(
    { ...direct, endpoint: proxy.endpoint, limits },
    new ObjectMetrics(registry).record,
  );
  await store.put('read', BYTES);
  for (let i = 0; i < 48; i++) {
    await store.range('read', 0, 100);
    await store.put(`written/${i}`, BYTES.subarray(0, 100));
  }
  proxy.lateMs = 60_000;
  const firstIsLate = (method: string): void => {
    let first = true;
    proxy.choose = (request) => {
      if (!first || request.method !== method) return undefined;
      first = false;
      return 'late';
    };
  };
  firstIsLate('GET');
  expect(await store.range('read', 1, 100)).toHaveLength(100);
  firstIsLate('PUT');
  await store.put('written/late', BYTES.subarray(0, 100));
  const metrics = await registry.metrics();
  expect(metrics).toMatch(/fleetflame_objects_hedges_total\{operation="range",won="true"\} [1-9]/);
  expect(metrics).toMatch(/fleetflame_objects_hedges_total\{operation="put",won="true"\} [1-9]/);
});

test('a server without conditional writes keeps objects immutable by looking first', async () => {
  await using proxy = await faulty(1);
  proxy.refuseConditional = true;
  const store = new S3ObjectStore({ ...direct, endpoint: proxy.endpoint });
  await store.put('old-server', BYTES);
  await store.put('old-server', BYTES);
  await expect(store.put('old-server', BYTES.subarray(1))).rejects.toMatchObject({ code: 'invalid_input' });
  expect(await store.get('old-server')).toHaveLength(BYTES.length);
});
