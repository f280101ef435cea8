/** Objects and catalogs that belong together, and those that do not. */
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { MIGRATIONS } from '../catalog/migrations.ts';
import { Store } from '../store.ts';
import { MemoryCatalog } from '../testing/memory-catalog.ts';
import { MemoryObjectStore } from '../testing/memory-object-store.ts';
import { batchBlock, BATCH_SUM, sumsByFunction } from '../testing/test-blocks.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { identifyStore } from './store-identity.ts';

const noRemedies = () => Promise.resolve('');
const START = Date.UTC(2026, 10, 22);

async function openStore(dataDir: string) {
  const store = await Store.open({
    dataDir,
    retentionMs: 7 * 86_400_000,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    now: () => START + 60_000,
  });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

async function fill(dataDir: string, name: string): Promise<string | undefined> {
  await using store = await openStore(dataDir);
  await store.commitSegment({ block: batchBlock(name, START), batches: [{ agentId: name, seq: 0n }] });
  return (await store.status()).id;
}

function dropCatalog(dataDir: string): void {
  for (const name of readdirSync(dataDir)) if (name.startsWith('catalog.db')) rmSync(join(dataDir, name));
}

const filesOf = (dataDir: string) =>
  readdirSync(join(dataDir, 'objects'), { recursive: true }).map(String).toSorted();

const REFUSED = {
  code: 'unsupported',
  message: expect.stringMatching(/store restore-catalog --yes.*store adopt --yes/),
};

test('a store has one id from its first start on, in its catalog and beside its objects', async () => {
  using directory = temporaryDirectory();
  const id = await fill(directory.path, 'a');
  expect(id).toMatch(/^[0-9a-f]{24}$/);
  expect(readFileSync(join(directory.path, 'objects/store/id'), 'utf8')).toBe(id);
  expect(await fill(directory.path, 'b')).toBe(id);
});

test('objects whose catalog was lost are refused, with both sides named, and nothing changes', async () => {
  using directory = temporaryDirectory();
  const id = await fill(directory.path, 'a');
  dropCatalog(directory.path);
  const before = filesOf(directory.path);
  for (const attempt of [1, 2]) {
    const error = await openStore(directory.path).catch((thrown: unknown) => thrown);
    expect(error, `attempt ${attempt}`).toMatchObject(REFUSED);
    expect(String(error)).toContain(`is store ${id}, the catalog carries no store id`);
  }
  expect(filesOf(directory.path)).toEqual(before);
});

test("another store's catalog and another store's objects are refused, both ids named", async () => {
  using one = temporaryDirectory();
  using other = temporaryDirectory();
  const ids = [await fill(one.path, 'a'), await fill(other.path, 'b')];
  copyFileSync(join(other.path, 'catalog.db'), join(one.path, 'catalog.db'));
  const error = await openStore(one.path).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject(REFUSED);
  for (const id of ids) expect(String(error)).toContain(id);
  // A fresh store is no other: its catalog beside old objects is a lost one.
  rmSync(join(other.path, 'objects'), { recursive: true });
  renameSync(join(one.path, 'objects'), join(other.path, 'objects'));
  await expect(openStore(other.path)).rejects.toMatchObject(REFUSED);
});

test('a catalog whose bucket is empty is refused', async () => {
  using directory = temporaryDirectory();
  await fill(directory.path, 'a');
  rmSync(join(directory.path, 'objects'), { recursive: true });
  await expect(openStore(directory.path)).rejects.toMatchObject(REFUSED);
});

test('an emptied catalog of the same store, and a copy from before its first block, are refused', async () => {
  using directory = temporaryDirectory();
  await (await openStore(directory.path)).close();
  const copy = join(directory.path, 'copy');
  copyFileSync(join(directory.path, 'catalog.db'), copy);
  await fill(directory.path, 'a');
  const database = new DatabaseSync(join(directory.path, 'catalog.db'));
  database.exec('delete from blocks; delete from batches');
  database.close();
  await expect(openStore(directory.path)).rejects.toMatchObject(REFUSED);
  dropCatalog(directory.path);
  renameSync(copy, join(directory.path, 'catalog.db'));
  await expect(openStore(directory.path)).rejects.toMatchObject(REFUSED);
});

test('a first block that a crash left without its row is no lost catalog', async () => {
  using directory = temporaryDirectory();
  {
    await using store = await openStore(directory.path);
    await store.objects.put('blocks/first', new Uint8Array(10));
  }
  await fill(directory.path, 'a');
  await using store = await openStore(directory.path);
  expect(await sumsByFunction(store)).toEqual(new Map([['a', BATCH_SUM]]));
});

/** Takes the id away, and what else came after version `version` of the schema. */
function asBefore(dataDir: string, version: number): void {
  rmSync(join(dataDir, 'objects/store'), { recursive: true });
  const path = join(dataDir, 'catalog.db');
  const old = new DatabaseSync(join(dataDir, 'old.db'));
  old.exec('create table meta (name text primary key, value text not null)');
  for (const statement of MIGRATIONS.slice(0, version).flat()) old.exec(statement);
  old.exec(`attach '${path}' as new; insert into meta values ('schema_version', '${version}')`);
  for (const table of ['blocks', 'batches', 'quarantine', 'jobs']) {
    const columns = old.prepare(`select name from pragma_table_info('${table}')`).all();
    const names = columns.map(({ name }) => String(name)).join(', ');
    old.exec(`insert into ${table} (${names}) select ${names} from new.${table}`);
  }
  old.close();
  dropCatalog(dataDir);
  renameSync(join(dataDir, 'old.db'), path);
}

test('a store of schema version 3, which had no id, gets one at its first start and keeps all it has', async () => {
  using directory = temporaryDirectory();
  await fill(directory.path, 'a');
  await fill(directory.path, 'b');
  asBefore(directory.path, 3);
  const id = await fill(directory.path, 'c');
  expect(readFileSync(join(directory.path, 'objects/store/id'), 'utf8')).toBe(id);
  await using store = await openStore(directory.path);
  expect([...(await sumsByFunction(store)).keys()].toSorted()).toEqual(['a', 'b', 'c']);
  const batches = [{ agentId: 'a', seq: 0n }];
  expect(await store.commitSegment({ block: batchBlock('a', START), batches })).toMatchObject({
    committed: false,
  });
});

test('a store of version 3 whose catalog was lost, or is of another one, is refused', async () => {
  using one = temporaryDirectory();
  using other = temporaryDirectory();
  for (const { path } of [one, other]) {
    await fill(path, path);
    asBefore(path, 3);
  }
  copyFileSync(join(other.path, 'catalog.db'), join(one.path, 'catalog.db'));
  await expect(openStore(one.path)).rejects.toMatchObject(REFUSED);
  dropCatalog(one.path);
  await expect(openStore(one.path)).rejects.toMatchObject(REFUSED);
  expect(existsSync(join(one.path, 'objects/store/id'))).toBe(false);
});

test('a first start that ended between its note and its object is finished by the next one', async () => {
  using directory = temporaryDirectory();
  const id = await fill(directory.path, 'a');
  rmSync(join(directory.path, 'objects/store'), { recursive: true });
  expect(await fill(directory.path, 'b')).toBe(id);
});

test('roles that start at the same time on a fresh store agree on one id, two catalogs do not', async () => {
  const objects = new MemoryObjectStore(() => START);
  const catalog = new MemoryCatalog();
  const starts = await Promise.all(
    Array.from({ length: 8 }, () => identifyStore(objects, catalog, noRemedies)),
  );
  expect(new Set(starts.map(({ id }) => id)).size).toBe(1);
  const contested = new MemoryObjectStore(() => START);
  const ends = await Promise.allSettled([
    identifyStore(contested, new MemoryCatalog(), noRemedies),
    identifyStore(contested, new MemoryCatalog(), noRemedies),
  ]);
  expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
});

test('a damaged catalog is named, with what to do', async () => {
  using directory = temporaryDirectory();
  await fill(directory.path, 'a');
  const path = join(directory.path, 'catalog.db');
  const sound = readFileSync(path);
  const spoilt = Uint8Array.from(sound);
  spoilt.fill(0xa5, 4096, 8192);
  for (const bytes of [spoilt, new Uint8Array(4096).fill(0x41)]) {
    dropCatalog(directory.path);
    writeFileSync(path, bytes);
    await expect(openStore(directory.path)).rejects.toMatchObject({
      code: 'corrupt_data',
      message: expect.stringMatching(/damaged.*adopt --yes/),
    });
  }
});
