/** A catalog of every older version, with data in it, becomes one of today's while old processes go on; a newer one is left alone. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES, TestEngine } from '../testing/catalog-engines.ts';
import { WHOLE } from './block-entry.ts';
import { MIGRATIONS, SCHEMA_VERSION } from './migrations.ts';

/** As version 1 wrote them. */
const BLOCK = (id: string, deletedMs: string) =>
  `insert into blocks (id, object_key, level, time_min_ms, time_max_ms, size_bytes, sample_rows, created_ms, deleted_ms, removed_ms)
   values ('${id}', 'blocks/${id}', 2, 1000, 1999, 10, 3, 5, ${deletedMs}, null)`;

describe.each(ENGINES)('upgrade in %s', (name) => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await TestEngine.start(name);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  test('version 1: its blocks, batches and quarantine are all there, and its statements still work', async () => {
    using place = await engine.newPlace();
    const text = name === 'postgres' ? 'text collate "C"' : 'text';
    for (const statement of [
      'create table meta (name text primary key, value text not null)',
      ...(MIGRATIONS[0] ?? []),
    ]) {
      await place.execute(statement.replaceAll(/\btext\b/g, text));
    }
    await place.execute(`insert into meta values ('schema_version', '1')`);
    for (const id of ['a', 'b']) await place.execute(BLOCK(id, 'null'));
    await place.execute(BLOCK('gone', '7'));
    await place.execute(`insert into batches values ('agent', 4, 'a', 5)`);
    await place.execute(`insert into quarantine values ('b', 'bad checksum', 6)`);

    const catalog = await place.open();
    // Others that start at the same time find it done.
    const others = name === 'postgres' ? await Promise.all([place.open(), place.open()]) : [];
    const found = { ...WHOLE, level: 2, timeMinMs: 1000, timeMaxMs: 1999, sizeBytes: 10, rows: 3 };
    expect(await catalog.view(0, 5000)).toEqual({
      blocks: [{ ...found, id: 'a', key: 'blocks/a' }],
      quarantined: [{ ...found, id: 'b', key: 'blocks/b', reason: 'bad checksum', sinceMs: 6 }],
      newestSampleMs: 1999,
    });
    const batches = [{ agentId: 'agent', seq: 4n, content: 'any: the row has none' }];
    const again = await catalog.commit({ ...found, id: 'c', key: 'blocks/c' }, batches, 8);
    expect(again).toEqual({ committed: false, duplicates: batches, conflicts: [] });
    expect((await catalog.totals()).schemaVersion).toBe(SCHEMA_VERSION);
    expect((await catalog.deletedBefore(10, 10)).map(({ id }) => id)).toEqual(['gone']);

    await place.execute(BLOCK('d', 'null'));
    expect((await catalog.view(0, 5000)).blocks.map(({ id }) => id)).toEqual(['a', 'd']);
    for (const opened of [catalog, ...others]) await opened.close();
  });

  test('a catalog written by a newer version is refused and left alone', async () => {
    using place = await engine.newPlace();
    await (await place.open()).close();
    await place.execute(`update meta set value = '${SCHEMA_VERSION + 1}' where name = 'schema_version'`);
    await expect(place.open()).rejects.toMatchObject({ code: 'unsupported' });
    await place.execute(`update meta set value = 'x' where name = 'schema_version'`);
    await expect(place.open()).rejects.toMatchObject({ code: 'corrupt_data' });
  });
});
