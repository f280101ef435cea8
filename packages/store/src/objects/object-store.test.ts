/** The contract of object stores, held against every engine: a directory, and a real S3 server. */
import { join } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Rgw } from '../testing/rgw.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import type { ObjectStore } from './object-store.ts';
import { createObjectStore } from './open-object-store.ts';

const BYTES = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
const NO_RECORD = (): void => undefined;

let rgw: Rgw;
beforeAll(async () => {
  rgw = await Rgw.start();
});
afterAll(async () => {
  await rgw[Symbol.asyncDispose]();
});

/** A new, empty store, and another that sees the same objects. */
const ENGINES: Readonly<
  Record<string, (use: (store: ObjectStore, other: ObjectStore) => Promise<void>) => Promise<void>>
> = {
  directory: async (use) => {
    using directory = temporaryDirectory();
    const config = { engine: 'directory', root: join(directory.path, 'objects') } as const;
    await use(await createObjectStore(config, NO_RECORD), await createObjectStore(config, NO_RECORD));
  },
  's3, whole bucket': async (use) => {
    const config = await rgw.createBucket();
    await use(await createObjectStore(config, NO_RECORD), await createObjectStore(config, NO_RECORD));
  },
  's3, prefix': async (use) => {
    const config = await rgw.createBucket('fleet/eu-1/');
    const neighbour = await createObjectStore({ ...config, prefix: 'fleet/eu-10/' }, NO_RECORD);
    await neighbour.put('b/neighbour', BYTES);
    await use(await createObjectStore(config, NO_RECORD), await createObjectStore(config, NO_RECORD));
    expect(await neighbour.list('')).toEqual(['b/neighbour']);
  },
};

describe.each(Object.entries(ENGINES))('%s', (_name, withStore) => {
  test('what was put is read back whole, by range and by size', async () => {
    await withStore(async (store, other) => {
      const before = Date.now();
      await store.put('a/b/c', BYTES);
      expect(Buffer.from(await other.get('a/b/c'))).toEqual(Buffer.from(BYTES));
      expect(Buffer.from(await other.range('a/b/c', 990, 10))).toEqual(Buffer.from(BYTES.subarray(990)));
      expect(Buffer.from(await other.range('a/b/c', 0, 1))).toEqual(Buffer.from(BYTES.subarray(0, 1)));
      expect(await other.range('a/b/c', 5, 0)).toHaveLength(0);
      expect(await other.size('a/b/c')).toBe(1000);
      const { modifiedMs } = await other.stat('a/b/c');
      // S3 tells whole seconds.
      expect(modifiedMs).toBeGreaterThanOrEqual(before - 1000);
      expect(modifiedMs).toBeLessThanOrEqual(Date.now() + 1000);
    });
  });

  test('empty and large objects are whole', async () => {
    await withStore(async (store) => {
      const large = new Uint8Array(9 << 20);
      for (let i = 0; i < large.length; i += 997) large[i] = i % 256;
      await store.put('empty', new Uint8Array(0));
      await store.put('large', large);
      expect(await store.get('empty')).toHaveLength(0);
      expect(Buffer.compare(await store.get('large'), large)).toBe(0);
      expect(Buffer.compare(await store.range('large', 1 << 20, 8 << 20), large.subarray(1 << 20))).toBe(0);
    });
  });

  test('an object is immutable: the same bytes are accepted again, other bytes are refused', async () => {
    await withStore(async (store, other) => {
      await store.put('key', BYTES);
      await other.put('key', BYTES);
      const bytes = BYTES.slice();
      bytes[500] = 255;
      await expect(other.put('key', bytes)).rejects.toMatchObject({ code: 'invalid_input', field: 'key' });
      await expect(other.put('key', BYTES.subarray(1))).rejects.toMatchObject({ code: 'invalid_input' });
      expect(Buffer.from(await store.get('key'))).toEqual(Buffer.from(BYTES));
    });
  });

  test('of concurrent puts with different bytes exactly one wins, and its bytes stay', async () => {
    await withStore(async (store) => {
      const all = Array.from({ length: 8 }, (_, index) => new Uint8Array(100).fill(index));
      const results = await Promise.allSettled(all.map((bytes) => store.put('key', bytes)));
      const won = all.filter((_, index) => results[index]?.status === 'fulfilled');
      expect(won).toHaveLength(1);
      expect(Buffer.compare(await store.get('key'), won[0] ?? new Uint8Array(0))).toBe(0);
    });
  });

  test('what is not there is not_found, and deleting it is no error', async () => {
    await withStore(async (store) => {
      const notFound = { code: 'not_found' };
      await expect(store.get('none')).rejects.toMatchObject(notFound);
      await expect(store.range('none/deeper', 0, 1)).rejects.toMatchObject(notFound);
      await expect(store.range('none', 0, 0)).rejects.toMatchObject(notFound);
      await expect(store.size('none')).rejects.toMatchObject(notFound);
      await store.delete('none');
      await store.put('some', BYTES);
      await store.delete('some');
      await expect(store.get('some')).rejects.toMatchObject(notFound);
      expect(await store.list('')).toEqual([]);
    });
  });

  test('a range past the end is corrupt_data', async () => {
    await withStore(async (store) => {
      await store.put('key', BYTES);
      await expect(store.range('key', 900, 200)).rejects.toMatchObject({ code: 'corrupt_data' });
      await expect(store.range('key', 1000, 1)).rejects.toMatchObject({ code: 'corrupt_data' });
    });
  });

  test('list gives the keys under a prefix in order', async () => {
    await withStore(async (store) => {
      for (const key of ['b/2', 'b/1', 'b/10/x', 'a', 'bc']) await store.put(key, BYTES);
      expect(await store.list('b/')).toEqual(['b/1', 'b/10/x', 'b/2']);
      expect(await store.list('b', 2)).toEqual(['b/1', 'b/10/x']);
      expect(await store.list('b')).toEqual(['b/1', 'b/10/x', 'b/2', 'bc']);
      expect(await store.list('')).toEqual(['a', 'b/1', 'b/10/x', 'b/2', 'bc']);
      expect(await store.list('nothing/')).toEqual([]);
      await expect(store.list('../')).rejects.toBeInstanceOf(FleetflameError);
    });
  });

  test.each(['', '.', '../x', '/etc/passwd', 'a//b', 'a/', '.tmp/x', 'a b', 'a\0b', 'ä', 'x'.repeat(201)])(
    'key %j is refused by every operation',
    async (key) => {
      await withStore(async (store) => {
        const refused = { code: 'invalid_input', field: 'key' };
        await expect(store.put(key, BYTES)).rejects.toMatchObject(refused);
        await expect(store.get(key)).rejects.toMatchObject(refused);
        await expect(store.range(key, 0, 1)).rejects.toMatchObject(refused);
        await expect(store.stat(key)).rejects.toMatchObject(refused);
        await expect(store.delete(key)).rejects.toMatchObject(refused);
        expect(await store.list('')).toEqual([]);
      });
    },
  );
});
