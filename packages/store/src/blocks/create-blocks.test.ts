import {
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
  type Client,
  type Interceptor,
} from '@connectrpc/connect';
import { FleetflameError } from '@fleetflame/profile';
import { BlockService } from '@fleetflame/proto/store/v1/blocks';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Store } from '../store.ts';
import { batchBlock } from '../testing/test-blocks.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { createBlocks } from './create-blocks.ts';

const START = Date.UTC(2026, 10, 22);

/** Who mounts the routes gives each code its status; here the message is enough. */
const asConnectError: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    throw error instanceof FleetflameError ? new ConnectError(error.message, Code.Unknown) : error;
  }
};

/** A store of `count` segments, and a client of its BlockService. */
async function openBlocks(dataDir: string, count: number) {
  const registry = new Registry();
  const log = pino({ level: 'silent' });
  const store = await Store.open({
    dataDir,
    retentionMs: 1e12,
    log,
    registry,
    now: () => START,
  });
  for (let seq = 0; seq < count; seq++) {
    const batches = [{ agentId: 'a', seq: BigInt(seq) }];
    await store.commitSegment({ block: batchBlock(`b${seq}`, START + seq * 1000), batches });
  }
  const client: Client<typeof BlockService> = createClient(
    BlockService,
    createRouterTransport(createBlocks({ store, registry }).routes, {
      router: { interceptors: [asConnectError] },
    }),
  );
  const object = (id: string): string => join(dataDir, 'objects', 'blocks', id);
  return { store, client, object, [Symbol.asyncDispose]: () => store.close() };
}

test('pages follow each other without gaps or repeats, whatever their size', async () => {
  using directory = temporaryDirectory();
  await using opened = await openBlocks(directory.path, 7);
  const { client } = opened;
  const whole = await client.list({});
  expect(whole.blocks).toHaveLength(7);
  expect(whole.nextPageToken).toBe('');
  for (const limit of [1, 2, 3, 7]) {
    const ids: string[] = [];
    let pageToken = '';
    do {
      const page = await client.list({ limit, pageToken });
      expect(page.blocks.length).toBeLessThanOrEqual(limit);
      ids.push(...page.blocks.map((block) => block.id));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(ids).toEqual(whole.blocks.map((block) => block.id));
  }
  await expect(client.list({ pageToken: 'x' })).rejects.toThrow(/page_token: "x" is not one/);
});

test('parts of an object are its bytes; beyond its end there is nothing', async () => {
  using directory = temporaryDirectory();
  await using opened = await openBlocks(directory.path, 1);
  const { client, object } = opened;
  const [block] = (await client.list({})).blocks;
  const { id = '' } = block ?? {};
  const bytes = readFileSync(object(id));
  const read = async (offset: number, length: number) =>
    Buffer.from((await client.read({ id, offset: BigInt(offset), length })).part);
  expect(await read(0, bytes.length)).toEqual(bytes);
  expect(await read(100, 50)).toEqual(bytes.subarray(100, 150));
  expect(await read(bytes.length - 5, 50)).toEqual(bytes.subarray(-5));
  expect(await read(bytes.length + 5, 50)).toHaveLength(0);
  await expect(read(0, (4 << 20) + 1)).rejects.toThrow(/length: 4194305 bytes; a part has 1 to 4194304/);
});

test('I7: a damaged block is quarantined with the reason, once; a sound one is left alone', async () => {
  using directory = temporaryDirectory();
  await using opened = await openBlocks(directory.path, 3);
  const { client, object, store } = opened;
  const [sound = '', flipped = '', missing = ''] = (await client.list({})).blocks.map(({ id }) => id);
  const bytes = readFileSync(object(flipped));
  bytes[200]! ^= 1;
  writeFileSync(object(flipped), bytes);
  rmSync(object(missing));

  expect(await client.verify({ id: sound })).toMatchObject({ problem: '', quarantined: false });
  const first = await client.verify({ id: flipped });
  expect(first.problem).toMatch(/checksum/);
  expect(first).toMatchObject({ quarantined: true, block: { quarantineReason: first.problem } });
  expect(await client.verify({ id: flipped })).toMatchObject({ quarantined: false });
  await expect(client.read({ id: missing, length: 1 })).rejects.toThrow(/not in object storage/);
  expect(await client.verify({ id: missing })).toMatchObject({ quarantined: true });
  const snapshot = await store.snapshot({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER });
  expect(snapshot.blocks.map(({ id }) => id)).toEqual([sound]);
  expect(snapshot.quarantined.map(({ id }) => id)).toEqual([flipped, missing]);
  snapshot.release();
});
