/** What the store says it is able to do, while a real database and a real directory go away and come back. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Store } from '../store.ts';
import { TestEngine } from '../testing/catalog-engines.ts';
import { batchBlock } from '../testing/test-blocks.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { FAILURES_IN_A_ROW, STORE_OPERATIONS, type StoreOperation } from './store-health.ts';

const log = pino({ level: 'silent' });
const NOW = Date.UTC(2026, 10, 22);

const able = (store: Store): StoreOperation[] =>
  STORE_OPERATIONS.filter((operation) => store.health.isAble(operation));

const gauge = async (registry: Registry, operation: string): Promise<string | undefined> =>
  (await registry.metrics())
    .split('\n')
    .find((line) => line.startsWith(`fleetflame_store_able{operation="${operation}"}`));

test('three failures in a row are not able, one success is; what nobody asks any more is found out by probes', async () => {
  using directory = temporaryDirectory();
  const registry = new Registry();
  const store = await Store.open({ dataDir: directory.path, retentionMs: 1e9, log, registry });
  let seq = 0n;
  const commit = () =>
    store.commitSegment({ block: batchBlock('a', NOW), batches: [{ agentId: 'a', seq: seq++ }] });
  await commit();
  expect(able(store)).toEqual([...STORE_OPERATIONS]);
  // The disk with the objects is gone.
  const objects = join(directory.path, 'objects');
  renameSync(objects, `${objects}.away`);
  writeFileSync(objects, 'not a directory');
  for (let failures = 1; failures <= FAILURES_IN_A_ROW; failures++) {
    expect(store.health.isAble('put')).toBe(true);
    await expect(commit()).rejects.toThrow(/object/i);
  }
  expect(able(store)).toEqual(['get', 'commit', 'read']);
  expect(await gauge(registry, 'put')).toMatch(/ 0$/);
  await expect(store.probe('put')).rejects.toThrow(/object/i);
  rmSync(objects);
  renameSync(`${objects}.away`, objects);
  await store.probe('put');
  expect(able(store)).toEqual([...STORE_OPERATIONS]);
  expect(await gauge(registry, 'put')).toMatch(/ 1$/);
  expect(await store.objects.list('probes/')).toEqual([]);
  await commit();
  await store.close();
});

test('a key that is not there is an answer, not a failure', async () => {
  using directory = temporaryDirectory();
  const store = await Store.open({
    dataDir: directory.path,
    retentionMs: 1e9,
    log,
    registry: new Registry(),
  });
  for (let i = 0; i <= FAILURES_IN_A_ROW; i++)
    await expect(store.objects.get('blocks/none')).rejects.toMatchObject({ code: 'not_found' });
  await store.objects.put('x', Uint8Array.of(1));
  for (let i = 0; i <= FAILURES_IN_A_ROW; i++)
    await expect(store.objects.put('x', Uint8Array.of(2))).rejects.toMatchObject({ code: 'invalid_input' });
  expect(able(store)).toEqual([...STORE_OPERATIONS]);
  await store.close();
});

test('a database that is killed and comes back: metrics and probes go on without it', async () => {
  await using engine = await TestEngine.start('postgres');
  using place = await engine.newPlace({ answerMs: 1000, connectMs: 1000 });
  using directory = temporaryDirectory();
  const registry = new Registry();
  const { postgres } = engine;
  if (postgres === undefined) throw new Error('no PostgreSQL');
  const catalog = place.config;
  const store = await Store.open({ dataDir: directory.path, catalog, retentionMs: 1e9, log, registry });
  await postgres.kill();
  const range = { fromMs: NOW, toMs: NOW + 1000 };
  for (let i = 0; i < FAILURES_IN_A_ROW; i++) {
    await expect(store.snapshot(range)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.probe('commit')).rejects.toMatchObject({ code: 'unavailable' });
  }
  expect(able(store)).toEqual(['put', 'get']);
  const away = await registry.metrics();
  expect(away).toMatch(/fleetflame_store_failures_total\{operation="read"\} [3-9]/);
  expect(away).not.toMatch(/^fleetflame_store_blocks\{/m);
  await postgres.restart();
  await store.probe('read');
  await store.probe('commit');
  expect(able(store)).toEqual([...STORE_OPERATIONS]);
  expect(await registry.metrics()).toMatch(/^fleetflame_store_blocks\{/m);
  await store.close();
});
