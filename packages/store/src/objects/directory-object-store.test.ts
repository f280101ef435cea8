import { mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { DirectoryObjectStore } from './directory-object-store.ts';

const BYTES = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

test('a range past the end of a file that was cut is corrupt_data', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(directory.path);
  await store.put('key', BYTES);
  truncateSync(join(directory.path, 'key'), 600);
  await expect(store.range('key', 500, 200)).rejects.toMatchObject({ code: 'corrupt_data' });
});

test('a key that is refused leaves nothing outside the root', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(join(directory.path, 'root'));
  const keys = ['..', '../x', 'a/../../x', 'a/.hidden', 'a\\b', `${'abc/'.repeat(200)}x`];
  for (const key of keys) {
    await expect(store.put(key, BYTES)).rejects.toMatchObject({ code: 'invalid_input', field: 'key' });
  }
  expect(readdirSync(directory.path)).toEqual(['root']);
});

test('list gives neither unfinished files nor folders nor links', async () => {
  using directory = temporaryDirectory();
  const store = await DirectoryObjectStore.create(directory.path);
  for (const key of ['b/2', 'b/1']) await store.put(key, BYTES);
  writeFileSync(join(directory.path, '.tmp', 'unfinished'), 'x');
  mkdirSync(join(directory.path, 'empty'));
  symlinkSync('/etc', join(directory.path, 'b', 'link'));
  expect(await store.list('')).toEqual(['b/1', 'b/2']);
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
  const failure: unknown = await store.put('file/below', BYTES).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'unavailable' });
  // It is told to whoever asks: where the server keeps its files is not.
  expect(String(failure)).toMatch(/ENOTDIR|EEXIST/);
  expect(String(failure)).not.toContain(directory.path);
  expect(readdirSync(join(directory.path, '.tmp'))).toEqual([]);
});
