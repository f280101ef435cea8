import { mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { DirectoryObjectStore } from './directory-object-store.ts';

const BYTES = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

test('what was put is read back whole, by range and by size', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(join(directory.path, 'objects'));
  await store.put('a/b/c', BYTES);
  expect(Buffer.from(await store.get('a/b/c'))).toEqual(Buffer.from(BYTES));
  expect(Buffer.from(await store.range('a/b/c', 990, 10))).toEqual(Buffer.from(BYTES.subarray(990)));
  expect(await store.size('a/b/c')).toBe(1000);
  expect((await store.stat('a/b/c')).modifiedMs).toBeGreaterThan(0);
});

test('an object is immutable: the same bytes are accepted again, other bytes are refused', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(directory.path);
  await store.put('key', BYTES);
  await store.put('key', BYTES);
  const other = BYTES.slice();
  other[500] = 255;
  await expect(store.put('key', other)).rejects.toMatchObject({ code: 'invalid_input', field: 'key' });
  expect(Buffer.from(await store.get('key'))).toEqual(Buffer.from(BYTES));
});

test('of concurrent puts with different bytes exactly one wins', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(directory.path);
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) => store.put('key', new Uint8Array(100).fill(index))),
  );
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
});

test('what is not there is not_found, and deleting it is no error', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(directory.path);
  const notFound = { code: 'not_found' };
  await expect(store.get('none')).rejects.toMatchObject(notFound);
  await expect(store.range('none/deeper', 0, 1)).rejects.toMatchObject(notFound);
  await expect(store.size('none')).rejects.toMatchObject(notFound);
  await store.delete('none');
});

test('a range past the end of a file that was cut is corrupt_data', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(directory.path);
  await store.put('key', BYTES);
  truncateSync(join(directory.path, 'key'), 600);
  await expect(store.range('key', 500, 200)).rejects.toMatchObject({ code: 'corrupt_data' });
});

test.each([
  '',
  '.',
  '..',
  '../x',
  'a/../../x',
  '/etc/passwd',
  'a//b',
  'a/',
  '.tmp/x',
  'a/.hidden',
  'a\\b',
  'a b',
  'a\0b',
  'ä',
  'x'.repeat(201),
  `${'abc/'.repeat(200)}x`,
])('key %j is refused by every operation', async (key) => {
  using directory = temporaryDirectory();
  const root = join(directory.path, 'root');
  const store = await DirectoryObjectStore.create(root);
  const refused = { code: 'invalid_input', field: 'key' };
  await expect(store.put(key, BYTES)).rejects.toMatchObject(refused);
  await expect(store.get(key)).rejects.toMatchObject(refused);
  await expect(store.range(key, 0, 1)).rejects.toMatchObject(refused);
  await expect(store.stat(key)).rejects.toMatchObject(refused);
  await expect(store.delete(key)).rejects.toMatchObject(refused);
  expect(readdirSync(directory.path)).toEqual(['root']);
});

test('list gives the keys under a prefix in order and neither unfinished files nor folders', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(directory.path);
  for (const key of ['b/2', 'b/1', 'b/10/x', 'a', 'bc']) await store.put(key, BYTES);
  writeFileSync(join(directory.path, '.tmp', 'unfinished'), 'x');
  mkdirSync(join(directory.path, 'empty'));
  symlinkSync('/etc', join(directory.path, 'b', 'link'));
  expect(await store.list('b/')).toEqual(['b/1', 'b/10/x', 'b/2']);
  expect(await store.list('b')).toEqual(['b/1', 'b/10/x', 'b/2', 'bc']);
  expect(await store.list('')).toEqual(['a', 'b/1', 'b/10/x', 'b/2', 'bc']);
  expect(await store.list('nothing/')).toEqual([]);
  await expect(store.list('../')).rejects.toBeInstanceOf(FleetflameError);
});

test('a start removes what a crash left unfinished', async () => {
  using directory = temporaryDirectory();
  await DirectoryObjectStore.create(directory.path);
  writeFileSync(join(directory.path, '.tmp', 'unfinished'), 'x');
  await DirectoryObjectStore.create(directory.path);
  expect(readdirSync(join(directory.path, '.tmp'))).toEqual([]);
});

test('a put that cannot be written is unavailable and leaves nothing behind', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(directory.path);
  writeFileSync(join(directory.path, 'file'), 'x');
  await expect(store.put('file/below', BYTES)).rejects.toMatchObject({ code: 'unavailable' });
  expect(readdirSync(join(directory.path, '.tmp'))).toEqual([]);
});
