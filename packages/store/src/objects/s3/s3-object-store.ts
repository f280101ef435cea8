/**
 * Objects in S3 or what speaks its protocol. What is checked where:
 *
 *   put    the server checks the body against the signed SHA-256, which is also kept in the object's
 *          metadata; `If-None-Match: *` makes a key immutable
 *   get    the whole object against that SHA-256
 *   range  length and place; the content by the checksums inside a block
 */
import { hash } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type GetObjectCommandOutput,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import { FleetflameError } from '@fleetflame/profile';
import type { RecordObjectEvent } from '../object-events.ts';
import { checkObjectKey, checkObjectPrefix, isObjectKey } from '../object-key.ts';
import type { ObjectStat, ObjectStore } from '../object-store.ts';
import { readBody } from './read-body.ts';
import type { S3ObjectStoreConfig } from './s3-config.ts';
import { S3AnswerError } from './s3-failure.ts';
import { S3CallError, S3Requests, type S3Answer } from './s3-requests.ts';

/** The metadata that holds the SHA-256 of the whole object, in hex. */
const SHA256 = 'sha256';
/** Above this a digest leaves the main thread; below, going there takes longer than the digest. */
const DIGEST_HERE_BYTES = 1 << 20;

export class S3ObjectStore implements ObjectStore {
  readonly #config: S3ObjectStoreConfig;
  readonly #client: S3Client;
  readonly #requests: S3Requests;
  readonly #record: RecordObjectEvent;
  /** False once the server has said that it knows no conditional put. */
  #conditional = true;
  #clockAheadMs: number | undefined;

  constructor(config: S3ObjectStoreConfig, record: RecordObjectEvent = () => undefined) {
    this.#config = config;
    this.#record = record;
    this.#requests = new S3Requests(config, record);
    const { connectMs, running } = this.#requests.limits;
    const sockets = { keepAlive: true, maxSockets: running };
    const { endpoint, region, pathStyle, credentials } = config;
    this.#client = new S3Client({
      region,
      forcePathStyle: pathStyle,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
      // Attempts, waits and deadlines are S3Requests'.
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: connectMs,
        httpAgent: new HttpAgent(sockets),
        httpsAgent: new HttpsAgent(sockets),
      },
      // Not every server knows the newer checksums; the signed SHA-256 does the same.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    this.#client.middlewareStack.add(
      (next) => async (request) => {
        const answer = await next(request);
        this.#clockAheadMs = dateOf(answer.response) ?? this.#clockAheadMs;
        return answer;
      },
      { step: 'deserialize', name: 'clock' },
    );
  }

  /** Throws unavailable, saying what to set, when the bucket is not there or may not be used. */
  async check(): Promise<void> {
    await this.#listPage('', undefined);
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    checkObjectKey(key);
    const { objectBytes } = this.#requests.limits;
    if (bytes.length > objectBytes) {
      this.#record({ kind: 'refused', limit: 'objectBytes' });
      throw new FleetflameError(
        'limit_exceeded',
        `Object ${key} has ${bytes.length} bytes, the most is ${objectBytes}.`,
      );
    }
    const digest = await sha256(bytes);
    if (!this.#conditional && (await this.#holds(key, bytes, digest))) return;
    try {
      await this.#put(key, bytes, digest);
    } catch (error) {
      if (!(error instanceof S3CallError)) throw error;
      if (error.failure.kind === 'absent' && this.#conditional) {
        this.#conditional = false;
        await this.put(key, bytes);
        return;
      }
      // Taken, perhaps by an earlier attempt of this very put whose answer was lost.
      if (error.failure.kind === 'exists' && (await this.#holds(key, bytes, digest))) return;
      throw error;
    }
  }

  async get(key: string): Promise<Uint8Array> {
    checkObjectKey(key);
    const { limits } = this.#requests;
    return await this.#requests.run({
      operation: 'get',
      what: `Object ${key}`,
      sentBytes: 0,
      expectedBytes: 0,
      send: async (signal) => {
        const output = await this.#getObject(key, undefined, signal);
        const length = output.ContentLength ?? 0;
        if (length > limits.objectBytes) {
          throw new S3AnswerError(
            'refused',
            'objectBytes',
            `it has ${length} bytes, the most is ${limits.objectBytes}`,
          );
        }
        const bytes = await readBody(output.Body, length, signal);
        const expected = output.Metadata?.[SHA256];
        if (expected !== undefined && (await sha256(bytes)) !== expected) {
          throw new S3AnswerError(
            'mismatch',
            'mismatch',
            'its bytes are not those that were written (SHA-256)',
          );
        }
        return { value: bytes, receivedBytes: bytes.length };
      },
    });
  }

  async range(key: string, offset: number, length: number): Promise<Uint8Array> {
    checkObjectKey(key);
    if (length === 0) {
      await this.stat(key);
      return new Uint8Array(0);
    }
    const last = offset + length - 1;
    const short = `it ends before byte ${last + 1}: it was cut short after it was written`;
    return await this.#requests.run({
      operation: 'range',
      what: `Object ${key}`,
      sentBytes: 0,
      expectedBytes: length,
      send: async (signal) => {
        const output = await this.#getObject(key, `bytes=${offset}-${last}`, signal);
        const place = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(output.ContentRange ?? '');
        if (place === null || Number(place[1]) !== offset) {
          destroy(output);
          const said = output.ContentRange ?? 'the whole object';
          throw new S3AnswerError(
            'refused',
            'range_answer',
            `asked for bytes ${offset} to ${last} it answers ${said}`,
          );
        }
        if (Number(place[2]) !== last) {
          destroy(output);
          throw new S3AnswerError('range', 'range', short);
        }
        const bytes = await readBody(output.Body, length, signal);
        return { value: bytes, receivedBytes: length };
      },
    });
  }

  async size(key: string): Promise<number> {
    return (await this.stat(key)).sizeBytes;
  }

  async stat(key: string): Promise<ObjectStat> {
    const { sizeBytes, modifiedMs } = await this.#head(key);
    return { sizeBytes, modifiedMs };
  }

  async delete(key: string): Promise<void> {
    checkObjectKey(key);
    try {
      await this.#call('delete', `Object ${key}`, async (abortSignal) => {
        await this.#client.send(new DeleteObjectCommand(this.#place(key)), { abortSignal });
      });
    } catch (error) {
      if (error instanceof S3CallError && error.failure.kind === 'missing') return;
      throw error;
    }
  }

  async list(prefix: string, limit = Infinity): Promise<string[]> {
    checkObjectPrefix(prefix);
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.#listPage(prefix, token);
      for (const { Key } of page.Contents ?? []) {
        const key = Key?.slice(this.#config.prefix.length);
        // What others left in the bucket cannot be ours, such as the "folders" of consoles.
        if (key !== undefined && isObjectKey(key)) keys.push(key);
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined && keys.length < limit);
    const found = keys.toSorted();
    return limit < found.length ? found.slice(0, limit) : found;
  }

  clockAheadMs(): number | undefined {
    return this.#clockAheadMs;
  }

  close(): void {
    this.#client.destroy();
  }

  async #put(key: string, bytes: Uint8Array, digest: string): Promise<void> {
    await this.#requests.run({
      operation: 'put',
      what: `Object ${key} of ${bytes.length} bytes`,
      sentBytes: bytes.length,
      expectedBytes: 0,
      send: async (abortSignal) => {
        const command = new PutObjectCommand({
          ...this.#place(key),
          Body: bytes,
          ContentLength: bytes.length,
          Metadata: { [SHA256]: digest },
          ...(this.#conditional ? { IfNoneMatch: '*' } : {}),
        });
        // The signer takes the digest from here instead of working it out again.
        command.middlewareStack.add(
          (next) => async (request) => {
            Object.assign(headersOf(request.request), { 'x-amz-content-sha256': digest });
            return await next(request);
          },
          { step: 'build', name: 'bodyDigest' },
        );
        await this.#client.send(command, { abortSignal });
        return { value: undefined, receivedBytes: 0 };
      },
    });
  }

  /** True when the key is there with these bytes; throws when it is there with others (I4). */
  async #holds(key: string, bytes: Uint8Array, digest: string): Promise<boolean> {
    let same: boolean;
    try {
      const head = await this.#head(key);
      same =
        head.sizeBytes === bytes.length &&
        (head.digest === undefined
          ? Buffer.compare(await this.get(key), bytes) === 0
          : head.digest === digest);
    } catch (error) {
      if (error instanceof FleetflameError && error.code === 'not_found') return false;
      throw error;
    }
    if (same) return true;
    throw new FleetflameError(
      'invalid_input',
      `Object ${key} exists with other bytes, and objects are immutable: write it under a new key.`,
      { field: 'key' },
    );
  }

  async #head(key: string): Promise<ObjectStat & { readonly digest: string | undefined }> {
    checkObjectKey(key);
    try {
      return await this.#call('stat', `Object ${key}`, async (abortSignal) => {
        const output = await this.#client.send(new HeadObjectCommand(this.#place(key)), { abortSignal });
        return {
          sizeBytes: output.ContentLength ?? 0,
          modifiedMs: output.LastModified?.getTime() ?? 0,
          digest: output.Metadata?.[SHA256],
        };
      });
    } catch (error) {
      // An answer to HEAD has no body: a bucket that is gone looks like an object that is gone.
      if (error instanceof S3CallError && error.failure.kind === 'missing') await this.#checkBucket();
      throw error;
    }
  }

  async #checkBucket(): Promise<void> {
    try {
      await this.#call('stat', 'The bucket', async (abortSignal) => {
        await this.#client.send(new HeadBucketCommand({ Bucket: this.#config.bucket }), { abortSignal });
      });
    } catch (error) {
      if (!(error instanceof S3CallError) || error.failure.kind !== 'missing') throw error;
      const detail = 'the bucket does not exist: create it, or correct the objects URL';
      throw new S3CallError(
        'Object storage',
        { ...error.failure, kind: 'refused', detail },
        this.#config,
        error,
      );
    }
  }

  async #listPage(prefix: string, token: string | undefined): Promise<ListObjectsV2CommandOutput> {
    return await this.#call('list', `Listing ${prefix === '' ? 'objects' : prefix}`, async (abortSignal) => {
      const command = new ListObjectsV2Command({
        Bucket: this.#config.bucket,
        Prefix: this.#config.prefix + prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
        MaxKeys: this.#requests.limits.pageKeys,
      });
      return await this.#client.send(command, { abortSignal });
    });
  }

  async #getObject(
    key: string,
    range: string | undefined,
    abortSignal: AbortSignal,
  ): Promise<GetObjectCommandOutput> {
    const command = new GetObjectCommand({
      ...this.#place(key),
      ...(range === undefined ? {} : { Range: range }),
    });
    return await this.#client.send(command, { abortSignal });
  }

  /** A call without bytes of objects. */
  async #call<T>(
    operation: 'stat' | 'delete' | 'list',
    what: string,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return await this.#requests.run({
      operation,
      what,
      sentBytes: 0,
      expectedBytes: 0,
      send: async (signal): Promise<S3Answer<T>> => ({ value: await send(signal), receivedBytes: 0 }),
    });
  }

  #place(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#config.bucket, Key: this.#config.prefix + key };
  }
}

async function sha256(bytes: Uint8Array): Promise<string> {
  if (bytes.length <= DIGEST_HERE_BYTES) return hash('sha256', bytes, 'hex');
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return Buffer.from(digest).toString('hex');
}

/** The client hands requests to middleware as unknown. */
function headersOf(request: unknown): object {
  if (typeof request === 'object' && request !== null && 'headers' in request) {
    if (typeof request.headers === 'object' && request.headers !== null) return request.headers;
  }
  throw new TypeError('a message of the S3 client has no headers');
}

/** How far the answer's Date is ahead of this host's clock, to a second or two. */
function dateOf(response: unknown): number | undefined {
  const { headers } = { headers: headersOf(response) };
  if (!('date' in headers) || typeof headers.date !== 'string') return undefined;
  const ms = Date.parse(headers.date);
  return Number.isNaN(ms) ? undefined : ms - Date.now();
}

/** Leaves a body unread; its connection is of no more use. */
function destroy(output: GetObjectCommandOutput): void {
  if (output.Body !== undefined && 'destroy' in output.Body) output.Body.destroy();
}
