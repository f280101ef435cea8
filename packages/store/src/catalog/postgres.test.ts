/** What only a database that is shared, far away and mortal can do to a catalog. */
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../testing/catalog-engines.ts';
import { LossyProxy } from '../testing/lossy-proxy.ts';
import type { PostgresServer } from '../testing/postgres-server.ts';
import { WHOLE, type BatchId, type BlockEntry } from './block-entry.ts';
import { openCatalog, type CatalogConfig } from './open-catalog.ts';

let engine: TestEngine;
let postgres: PostgresServer;
beforeAll(async () => {
  engine = await TestEngine.start('postgres');
  if (engine.postgres === undefined) throw new Error('no server');
  postgres = engine.postgres;
});
afterAll(() => engine[Symbol.asyncDispose]());

const ALL = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as const;
const batch = (agentId: string, seq: number): BatchId => ({ agentId, seq: BigInt(seq) });

function entry(id: string): BlockEntry {
  return {
    ...WHOLE,
    id,
    key: `blocks/${id}`,
    level: 0,
    timeMinMs: 1000,
    timeMaxMs: 1999,
    sizeBytes: 10,
    rows: 3,
  };
}

test('of many processes that open an empty database at once each finds it ready', async () => {
  using place = await engine.newPlace();
  const catalogs = await Promise.all(Array.from({ length: 6 }, () => place.open()));
  await catalogs[0]?.commit(entry('a'), [], 5);
  for (const catalog of catalogs) {
    expect((await catalog.view(...ALL)).blocks).toHaveLength(1);
    await catalog.close();
  }
});

test('I2: segments of several processes that share batches, in any order, count each of them once', async () => {
  using place = await engine.newPlace();
  const catalogs = await Promise.all(Array.from({ length: 3 }, () => place.open()));
  const committed = new Map<string, string>();
  const twice: string[] = [];
  const writer = async (index: number): Promise<void> => {
    for (let round = 0; round < 25; round++) {
      const ids = Array.from({ length: 40 }, (_, at) => batch(`agent-${at}`, round));
      let left = index % 2 === 0 ? ids : ids.toReversed();
      for (let attempt = 0; left.length > 0; attempt++) {
        const block = entry(`${index}-${round}-${attempt}`);
        const result = await catalogs[index]!.commit(block, left, 5);
        if (result.committed) {
          for (const { agentId, seq } of left) {
            const name = `${agentId}/${seq}`;
            if (committed.has(name)) twice.push(name);
            committed.set(name, block.id);
          }
        }
        const known = new Set(result.committed ? left : result.duplicates);
        left = left.filter((id) => !known.has(id));
      }
    }
  };
  await Promise.all(catalogs.map((_, index) => writer(index)));
  expect({ twice, batches: committed.size }).toEqual({ twice: [], batches: 1000 });
  const live = new Set((await catalogs[0]!.view(...ALL)).blocks.map((block) => block.id));
  expect(new Set(committed.values())).toEqual(live);
  for (const catalog of catalogs) await catalog.close();
});

test('I6: a view is of one moment while another process swaps', async () => {
  using place = await engine.newPlace();
  await using reader = await place.open();
  await using writer = await place.open();
  await writer.commit(entry('0'), [], 5);
  const swaps = (async () => {
    for (let at = 0; at < 100; at++)
      await writer.swap({ inputs: [`${at}`], outputs: [entry(`${at + 1}`)] }, 6);
  })();
  const seen = new Set<string>();
  while (!seen.has('100')) {
    const { blocks } = await reader.view(...ALL);
    expect(blocks).toHaveLength(1);
    seen.add(blocks[0]!.id);
  }
  await swaps;
  expect(seen.size).toBeGreaterThan(1);
});

test('I5: of two processes that swap the same blocks one is told that they are gone', async () => {
  using place = await engine.newPlace();
  await using a = await place.open();
  await using b = await place.open();
  for (let round = 0; round < 20; round++) {
    const inputs = [`${round}-x`, `${round}-y`];
    for (const id of inputs) await a.commit(entry(id), [], 5);
    const results = await Promise.all([
      a.swap({ inputs, outputs: [entry(`${round}-a`)] }, 6),
      b.swap({ inputs: inputs.toReversed(), outputs: [entry(`${round}-b`)] }, 6),
    ]);
    expect(new Set(results)).toEqual(new Set(['swapped', 'inputs_gone']));
  }
  expect((await a.view(...ALL)).blocks).toHaveLength(20);
});

function urlOf(config: CatalogConfig): string {
  if (config.engine !== 'postgres') throw new Error('not PostgreSQL');
  return config.url;
}

/** A catalog behind a proxy, so that what it says or hears can be lost. */
async function behind(proxy: LossyProxy, config: CatalogConfig) {
  const url = urlOf(config).replace(/:\d+\//, `:${proxy.port}/`);
  const catalog = await openCatalog({ engine: 'postgres', url });
  return Object.assign(catalog, { [Symbol.asyncDispose]: () => catalog.close() });
}

test('I1: a commit whose answer is lost is settled as what it was', async () => {
  using place = await engine.newPlace();
  await using proxy = await LossyProxy.start(postgres.port);
  await using catalog = await behind(proxy, place.config);
  proxy.lose('answer', 'commit\0');
  await expect(catalog.commit(entry('a'), [batch('x', 1)], 5)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await catalog.settle(entry('a'), 6)).toBe('committed');
  proxy.lose('question', 'commit\0');
  await expect(catalog.commit(entry('b'), [batch('x', 2)], 5)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await catalog.settle(entry('b'), 6)).toBe('absent');
  expect((await catalog.view(...ALL)).blocks).toEqual([entry('a')]);
  expect(await catalog.commit(entry('c'), [batch('x', 2)], 7)).toEqual({ committed: true });
});

test('a server that is killed and comes back is found again, with all that was committed', async () => {
  using place = await engine.newPlace();
  await using catalog = await place.open();
  await catalog.commit(entry('a'), [batch('x', 1)], 5);
  await postgres.kill();
  await expect(catalog.view(...ALL)).rejects.toMatchObject({ code: 'unavailable' });
  await postgres.restart();
  expect((await catalog.view(...ALL)).blocks).toEqual([entry('a')]);
});

test('a server that does not answer is an error in bounded time, and is used again when it does', async () => {
  using place = await engine.newPlace({ answerMs: 300, connectMs: 300 });
  await using catalog = await place.open();
  const goOn = postgres.pause();
  await expect(catalog.view(...ALL)).rejects.toMatchObject({ code: 'unavailable' });
  await expect(catalog.commit(entry('a'), [], 5)).rejects.toMatchObject({ code: 'unavailable' });
  goOn();
  await expect
    .poll(() => catalog.settle(entry('a'), 6).catch(() => 'unknown'), { timeout: 20_000 })
    .toBe('absent');
  expect((await catalog.view(...ALL)).blocks).toEqual([]);
});

test('a lock that somebody else holds is waited for in bounded time', async () => {
  using place = await engine.newPlace({ lockMs: 50 });
  await using catalog = await place.open();
  await catalog.commit(entry('a'), [], 5);
  const holder = new Client({ connectionString: urlOf(place.config) });
  await holder.connect();
  await holder.query('begin');
  await holder.query('update blocks set level = 7');
  await expect(catalog.swap({ inputs: ['a'], outputs: [] }, 6)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('lock timeout'),
  });
  await holder.query('rollback');
  await holder.end();
  expect(await catalog.find('a')).toMatchObject({ block: { level: 0 } });
});

test('a database that may lose what it commits is refused', async () => {
  using place = await engine.newPlace();
  await place.execute(
    `alter database ${new URL(urlOf(place.config)).pathname.slice(1)} set synchronous_commit = off`,
  );
  await expect(place.open()).rejects.toMatchObject({ code: 'unsupported' });
});

test('a URL that is none is refused without repeating it', async () => {
  const open = openCatalog({ engine: 'postgres', url: 'postgres://user:secret@:bad:/x' });
  await expect(open).rejects.toMatchObject({ message: expect.not.stringContaining('secret') });
});
