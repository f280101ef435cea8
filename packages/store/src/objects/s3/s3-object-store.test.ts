/** What only S3 can get wrong, against a real server. The contract is in ../object-store.test.ts. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Rgw } from '../../testing/rgw.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { ObjectMetrics } from '../object-metrics.ts';
import type { S3ObjectStoreConfig } from './s3-config.ts';
import { S3ObjectStore } from './s3-object-store.ts';

const BYTES = new Uint8Array(1000).fill(7);
const IMPATIENT = { totalMs: 300, attempts: 3, firstWaitMs: 1 };

let rgw: Rgw;
let config: S3ObjectStoreConfig;
beforeAll(async () => {
  rgw = await Rgw.start();
  config = await rgw.createBucket('p/');
});
afterAll(async () => {
  await rgw[Symbol.asyncDispose]();
});

async function putRaw(
  key: string,
  body: Uint8Array | string,
  metadata: Record<string, string>,
): Promise<void> {
  const { endpoint, region, credentials, bucket } = config;
  const client = new S3Client({
    region,
    forcePathStyle: true,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, Metadata: metadata }));
  client.destroy();
}

test('a list of many pages is whole, and leaves out what cannot be ours', async () => {
  const own = await rgw.createBucket();
  const store = new S3ObjectStore({ ...own, limits: { pageKeys: 3 } });
  const keys = Array.from({ length: 10 }, (_, index) => `k/${index}`);
  await Promise.all(keys.map(async (key) => await store.put(key, BYTES)));
  config = { ...own, prefix: 'p/' };
  await putRaw('k/folder/', new Uint8Array(0), {});
  await putRaw('k/has space', 'x', {});
  expect(await store.list('k/')).toEqual(keys);
});

test('bytes that are not those that were written are corrupt_data, after they were read again', async () => {
  await putRaw('p/damaged', BYTES, { sha256: '0'.repeat(64) });
  await putRaw('p/foreign', BYTES, {});
  const registry = new Registry();
  const store = new S3ObjectStore(config, new ObjectMetrics(registry).record);
  await expect(store.get('damaged')).rejects.toMatchObject({ code: 'corrupt_data' });
  expect(await registry.metrics()).toContain(
    'fleetflame_objects_requests_total{operation="get",outcome="mismatch"} 3',
  );
  // Written by another tool: there is nothing to compare with, and its bytes decide what is the same.
  expect(Buffer.compare(await store.get('foreign'), BYTES)).toBe(0);
  await store.put('foreign', BYTES);
  await expect(store.put('foreign', BYTES.subarray(1))).rejects.toMatchObject({ code: 'invalid_input' });
});

test('a bucket that is not there is unavailable, never a missing object', async () => {
  const store = new S3ObjectStore({ ...config, bucket: 'not-there' });
  const answer = {
    code: 'unavailable',
    message: expect.stringMatching(/bucket not-there at http:.*: the bucket does not exist: create it/),
  };
  await expect(store.check()).rejects.toMatchObject(answer);
  await expect(store.get('key')).rejects.toMatchObject(answer);
  await expect(store.range('key', 0, 1)).rejects.toMatchObject(answer);
  await expect(store.stat('key')).rejects.toMatchObject(answer);
  await expect(store.put('key', BYTES)).rejects.toMatchObject(answer);
  await expect(store.list('')).rejects.toMatchObject(answer);
});

test('wrong credentials are refused at once, with what to set', async () => {
  const credentials = { accessKeyId: rgw.credentials.accessKeyId, secretAccessKey: 'wrong' };
  const wrongSecret = new S3ObjectStore({ ...config, credentials });
  await expect(wrongSecret.check()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/the access key or its secret is wrong: check AWS_ACCESS_KEY_ID/),
  });
  const wrongKey = new S3ObjectStore({ ...config, credentials: { ...credentials, accessKeyId: 'nobody' } });
  await expect(wrongKey.put('key', BYTES)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('the access key or its secret is wrong'),
  });
  expect(await new S3ObjectStore(config).list('key')).toEqual([]);
});

test('a server that is not there is unavailable within the time, and says how often it was tried', async () => {
  const store = new S3ObjectStore({ ...config, endpoint: 'http://127.0.0.1:9', limits: IMPATIENT });
  await expect(store.get('key')).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/at http:\/\/127\.0\.0\.1:9: 3 attempts in .* failed.*ECONNREFUSED/),
  });
});

test('more calls than may wait are refused as overloaded and counted; the others are answered', async () => {
  const registry = new Registry();
  const limits = { running: 2, waiting: 4 };
  const store = new S3ObjectStore({ ...config, limits }, new ObjectMetrics(registry).record);
  await store.put('some', BYTES);
  const results = await Promise.allSettled(Array.from({ length: 20 }, async () => await store.get('some')));
  const refused = results.filter((result) => result.status === 'rejected');
  expect(results.length - refused.length).toBe(6);
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'overloaded' });
  expect(await registry.metrics()).toContain('fleetflame_objects_refused_total{limit="waiting"} 14');
});

/** A store of a new bucket that has to find its credentials by itself. */
async function withoutOwn(): Promise<S3ObjectStore> {
  const { credentials: _, ...own } = await rgw.createBucket();
  return new S3ObjectStore(own);
}

describe('credentials that nobody set', () => {
  beforeEach(() => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'])
      vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent');
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('come from the environment', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', rgw.credentials.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', rgw.credentials.secretAccessKey);
    const store = await withoutOwn();
    await store.put('key', BYTES);
    expect(Buffer.compare(await store.get('key'), BYTES)).toBe(0);
  });

  test('come from the file of a profile', async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, 'credentials');
    const { accessKeyId, secretAccessKey } = rgw.credentials;
    writeFileSync(
      file,
      `[default]\naws_access_key_id = nobody\naws_secret_access_key = wrong\n` +
        `[fleet]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
    );
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
    vi.stubEnv('AWS_PROFILE', 'fleet');
    const store = await withoutOwn();
    await store.put('key', BYTES);
    expect(Buffer.compare(await store.get('key'), BYTES)).toBe(0);
  });

  test('come from the role of the instance, as its metadata service tells', async () => {
    const asked: string[] = [];
    const metadata = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const role = '/latest/meta-data/iam/security-credentials/';
      if (request.url === '/latest/api/token') response.end('token');
      else if (request.headers['x-aws-ec2-metadata-token'] !== 'token') response.writeHead(401).end();
      else if (request.url === role) response.end('fleet-role');
      else if (request.url === `${role}fleet-role`) {
        response.end(
          JSON.stringify({
            Code: 'Success',
            Type: 'AWS-HMAC',
            AccessKeyId: rgw.credentials.accessKeyId,
            SecretAccessKey: rgw.credentials.secretAccessKey,
            Token: '',
            LastUpdated: new Date().toISOString(),
            Expiration: new Date(Date.now() + 3_600_000).toISOString(),
          }),
        );
      } else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve));
    const address = metadata.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    try {
      vi.stubEnv('AWS_EC2_METADATA_DISABLED', undefined);
      vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', `http://127.0.0.1:${address.port}`);
      const store = await withoutOwn();
      await store.put('key', BYTES);
      expect(Buffer.compare(await store.get('key'), BYTES)).toBe(0);
      // Once for both requests.
      expect(asked.filter((one) => one.endsWith('fleet-role'))).toHaveLength(1);
    } finally {
      metadata.closeAllConnections();
      metadata.close();
    }
  });

  test('are missed with a word on what to set', async () => {
    const store = await withoutOwn();
    await expect(store.get('key')).rejects.toThrow(/AWS_ACCESS_KEY_ID.*role/);
  });
});

// The last one: buckets that are made soon after wait for half a minute.
test('a gateway that was killed and comes back is waited for', async () => {
  const store = new S3ObjectStore(config);
  await store.put('before', BYTES);
  await rgw.killGateway();
  const reading = store.get('before');
  const writing = store.put('during', BYTES);
  await rgw.startGateway();
  expect(Buffer.compare(await reading, BYTES)).toBe(0);
  await writing;
  expect(await store.list('during')).toEqual(['during']);
});
