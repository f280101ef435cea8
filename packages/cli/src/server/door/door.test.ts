import { once } from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { Code, createClient, type ConnectRouter, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { IngestService, WriteRequestSchema } from '@fleetflame/proto/ingest/v1/ingest';
import { JobService } from '@fleetflame/proto/store/v1/jobs';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { Door, type DoorOptions } from './door.ts';
import type { DoorHandler } from './guard.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

const WRITE = '/fleetflame.ingest.v1.IngestService/Write';
const ERASE = '/fleetflame.store.v1.JobService/Erase';

interface Started {
  readonly port: number;
  readonly registry: Registry;
  /** Lines of the log. */
  readonly log: string[];
  /** Bytes of the blocks that came through. */
  readonly blocks: number[];
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A door before services that answer at once, or when `hold` resolves. */
async function start(
  options: Partial<DoorOptions> = {},
  handler?: DoorHandler,
  hold: Promise<void> = Promise.resolve(),
): Promise<Started> {
  const registry = new Registry();
  const log: string[] = [];
  const blocks: number[] = [];
  const door = new Door({
    registry,
    log: pino({}, { write: (line: string) => void log.push(line) }),
    host: '127.0.0.1',
    ...options,
  });
  const routes = (router: ConnectRouter): void => {
    router.service(IngestService, {
      write: async ({ block }) => {
        blocks.push(block.length);
        await hold;
        return { duplicate: false };
      },
    });
    router.service(JobService, { erase: () => ({ jobId: 'job' }), listJobs: () => ({}) });
  };
  const rest: DoorHandler = handler ?? (({ response }) => void response.end('page'));
  const port = door.open(door.rpc(routes, {}, {}, rest));
  const bound = await port.listen('127.0.0.1', 0);
  closing.push(() => port.close(0));
  return { port: bound, registry, log, blocks };
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

async function ask(
  port: number,
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: http.OutgoingHttpHeaders; body?: Uint8Array | string } = {},
): Promise<Answer> {
  const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  request.on('error', () => undefined);
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(parts).toString(),
  };
}

/** Bytes as they are; what came back until the server closed. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return Buffer.concat(parts).toString('latin1');
}

const write = (block: Uint8Array): Uint8Array =>
  toBinary(WriteRequestSchema, create(WriteRequestSchema, { agentId: 'a', block }));
const post = (
  port: number,
  path: string,
  body: Uint8Array | string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<Answer> =>
  ask(port, path, { method: 'POST', body, headers: { 'content-type': 'application/proto', ...headers } });
const counted = async ({ registry }: Started, limit: string): Promise<boolean> =>
  (await registry.metrics()).includes(`fleetflame_door_refused_total{limit="${limit}"}`);

describe('whatever a handler throws', () => {
  test.each([
    [
      'at once',
      () => {
        throw new Error('/secret/path failed');
      },
    ],
    [
      'later',
      async () => {
        await Promise.resolve();
        throw new Error('/secret/path failed');
      },
    ],
  ] as const)('%s is an answer without details, a counter and a log line', async (_when, handler) => {
    const started = await start({}, handler);
    const answer = await ask(started.port, '/');
    expect([answer.status, answer.body]).toEqual([
      500,
      'This failed inside the server; its log says more.\n',
    ]);
    expect(await started.registry.metrics()).toContain('fleetflame_door_errors_total{part="handler"} 1');
    expect(started.log.join('')).toContain('/secret/path failed');
    expect((await ask(started.port, '/')).status).toBe(500);
  });

  test('in the middle of an answer cuts it', async () => {
    const started = await start({}, ({ response }) => {
      response.writeHead(200);
      response.write('half');
      throw new Error('no more');
    });
    await expect(ask(started.port, '/')).rejects.toThrow(/aborted|hang up/);
  });

  test('by HTTP/2 is answered as well, and the connection goes on', async () => {
    const started = await start({}, () => {
      throw new Error('no');
    });
    const session = http2.connect(`http://127.0.0.1:${started.port}`);
    for (let i = 0; i < 3; i++) {
      const stream = session.request({ ':path': '/' });
      const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      expect(headers[':status']).toBe(500);
      stream.resume();
      await once(stream, 'close');
    }
    session.close();
  });

  test('is logged a few times a minute, not a thousand', async () => {
    const started = await start({}, () => {
      throw new Error('again');
    });
    for (let i = 0; i < 30; i++) await ask(started.port, '/');
    expect(started.log.length).toBe(10);
  });
});

describe('what is no request', () => {
  test.each([
    ['GET http://[ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', 400, 'host'],
    [`GET /${'x'.repeat(9000)} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`, 400, 'target'],
    ['GET * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', 400, 'target'],
    ['GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\nconnection: close\r\n\r\n', 400, 'host'],
    ['GET http://evil.example/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', 421, 'host'],
    ['TRACE / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', 405, 'method'],
    ['CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n', 405, 'method'],
    ['NONSENSE\r\n\r\n', 400, 'protocol'],
    [`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'protocol'],
    [
      `GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${'a: b\r\n'.repeat(200)}\r\n`,
      431,
      'protocol',
    ],
  ])('%j is answered %i', async (bytes, status, limit) => {
    const started = await start();
    const answer = await raw(started.port, bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain('nosniff');
    expect(await started.registry.metrics()).toContain(`fleetflame_door_refused_total{limit="${limit}"}`);
    expect((await ask(started.port, '//')).status).toBe(200);
  });

  test('half of a preface is cut off', async () => {
    const started = await start({ limits: { firstBytesMs: 100 } });
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    for (const bytes of ['', 'P', 'PRI * HTTP/2.0\r\n\r\nSM', preface]) {
      const answer = await raw(started.port, bytes);
      // Of a whole one the server's own settings.
      expect(answer === '' || bytes === preface).toBe(true);
    }
    expect(await started.registry.metrics()).toMatch(/connections_cut_total\{reason="firstBytesMs"\} 4/);
  });
});

test('every answer has the headers that keep other pages out', async () => {
  const { port } = await start();
  for (const path of ['/', 'http://[', WRITE]) {
    expect((await ask(port, path)).headers).toMatchObject(SECURITY_HEADERS);
  }
});

describe('a body', () => {
  test.each([
    ['that is no gzip', Buffer.from('garbage'), { 'content-encoding': 'gzip' }, 'encoding'],
    [
      'that is cut gzip',
      gzipSync(write(new Uint8Array(1000))).subarray(0, 20),
      { 'content-encoding': 'gzip' },
      'encoding',
    ],
    [
      'that inflates to too much',
      gzipSync(Buffer.alloc(100 << 20)),
      { 'content-encoding': 'gzip' },
      'messageBytes',
    ],
    [
      'of two members that inflate to too much',
      Buffer.concat([gzipSync(Buffer.alloc(17 << 20)), gzipSync(Buffer.alloc(9))]),
      { 'content-encoding': 'gzip' },
      'messageBytes',
    ],
    [
      'of nested groups',
      Buffer.concat([Buffer.alloc(100_000, 0x2b), Buffer.alloc(100_000, 0x2c)]),
      {},
      'message',
    ],
    ['with text that is not UTF-8', Buffer.from([0x0a, 2, 0xff, 0xfe]), {}, 'message'],
    ['that ends in a field', Buffer.from([0x0a, 9, 65]), {}, 'message'],
    ['compressed in another way', Buffer.from('x'), { 'content-encoding': 'br' }, 'encoding'],
    [
      'of a form',
      Buffer.from('a=b'),
      { 'content-type': 'application/x-www-form-urlencoded' },
      'content_type',
    ],
    ['without a type', Buffer.from('{}'), { 'content-type': '' }, 'content_type'],
    [
      'of JSON that is nested',
      Buffer.from('['.repeat(50_000)),
      { 'content-type': 'application/json' },
      'messageFields',
    ],
    [
      'of gRPC that is half there',
      Buffer.from([0, 0, 0, 0, 9, 1]),
      { 'content-type': 'application/grpc-web+proto' },
      'message',
    ],
  ])('%s is its sender’s fault, and counted', async (_what, body, headers, limit) => {
    const started = await start();
    const { status, headers: answered } = await post(started.port, WRITE, body, headers);
    const isGrpc = answered['grpc-status'] !== undefined;
    expect(isGrpc ? Number(answered['grpc-status']) : Math.floor(status / 100)).toBe(isGrpc ? 3 : 4);
    expect(await counted(started, limit)).toBe(true);
    expect(started.blocks).toEqual([]);
  });

  test('that has many fields is refused before they are looked at', async () => {
    const started = await start();
    const labels = Buffer.concat(Array.from({ length: 3000 }, () => Buffer.from([0x12, 0])));
    const answer = await post(started.port, '/fleetflame.ingest.v1.IngestService/WritePprof', labels);
    expect([answer.status, answer.body]).toEqual([400, expect.stringContaining('more than 2000 fields')]);
  });

  test('in gzip passes, by Connect and by gRPC', async () => {
    const started = await start();
    const message = gzipSync(write(new Uint8Array(5000)));
    expect((await post(started.port, WRITE, message, { 'content-encoding': 'gzip' })).status).toBe(200);
    const head = Buffer.alloc(5);
    head.writeUInt8(1);
    head.writeUInt32BE(message.length, 1);
    const type = { 'content-type': 'application/grpc-web+proto', 'grpc-encoding': 'gzip' };
    const answer = await post(started.port, WRITE, Buffer.concat([head, message]), type);
    expect([answer.status, answer.body]).toEqual([200, expect.stringContaining('grpc-status: 0')]);
    expect(started.blocks).toEqual([5000, 5000]);
  });

  test('that stops coming is cut off with an answer', async () => {
    const started = await start({ limits: { bodySilentMs: 300 } });
    const head = `POST ${WRITE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/proto\r\ncontent-length: 1000\r\n\r\nabc`;
    expect(await raw(started.port, head)).toMatch(/^HTTP\/1.1 408 .*deadline_exceeded/s);
    expect(await counted(started, 'bodySilentMs')).toBe(true);
    expect(await started.registry.metrics()).toContain('fleetflame_door_receiving_bytes 0');
  });

  test('waits for its turn, and is told to come again when too many wait', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const limits = { receivingBytes: 100_000, addressShare: 1, waitingBytes: 150_000 };
    const started = await start({ limits }, undefined, promise);
    const asked = Array.from({ length: 6 }, () => post(started.port, WRITE, write(new Uint8Array(60_000))));
    // One is worked on, two wait, three were turned away.
    const [first] = await Promise.all([
      Promise.any(asked),
      once(process, 'nothing', { signal: AbortSignal.timeout(50) }).catch(() => 0),
    ]);
    expect(first.status).toBe(429);
    resolve();
    const answers = await Promise.all(asked);
    expect(answers.filter(({ status }) => status === 200).length).toBe(3);
    expect(answers.filter(({ status }) => status === 429).length).toBe(3);
  });
});

test('who sends too much is told so, however much he sends', async () => {
  const started = await start();
  const answers = await Promise.all(
    Array.from({ length: 4 }, async () => post(started.port, WRITE, new Uint8Array(40 << 20))),
  );
  expect(answers.map(({ status, body }) => [status, body.includes('out_of_range')])).toEqual(
    answers.map(() => [400, true]),
  );
});

test('one connection of HTTP/2 carries as many pushes as it likes: they wait their turn', async () => {
  const started = await start({ limits: { receivingBytes: 4 << 20 } });
  // Node's client has a limit of its own for what it has not sent yet; balancers have none.
  const session = http2.connect(`http://127.0.0.1:${started.port}`, { maxSessionMemory: 1000 });
  const message = write(new Uint8Array(30_000));
  const push = async (): Promise<number> => {
    const stream = session.request({
      ':method': 'POST',
      ':path': WRITE,
      'content-type': 'application/proto',
    });
    stream.end(message);
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    stream.resume();
    return Number(headers[':status']);
  };
  const answers = await Promise.all(Array.from({ length: 512 }, push));
  expect(answers.filter((status) => status === 200).length).toBe(512);
  session.close();
});

const own = (port: number): string => `127.0.0.1:${port}`;

describe('a page elsewhere', () => {
  const json = { 'content-type': 'application/json' };

  test.each([
    [{ host: 'rebind.example', origin: 'http://rebind.example' }, 421],
    [{ origin: 'http://other.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: 'http://127.0.0.1:1' }, 403],
    [{ origin: 'http://localhost' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ forwarded: 'for=1.2.3.4' }, 403],
    [{ 'x-forwarded-host': 'x' }, 403],
  ])('with %j is refused', async (headers, status) => {
    const { port } = await start();
    expect((await post(port, ERASE, '{}', { ...json, ...headers })).status).toBe(status);
  });

  test('is not taken for our own, nor for who has no page', async () => {
    const { port } = await start();
    const origin = `http://${own(port)}`;
    expect((await post(port, ERASE, '{}', { ...json, origin, 'sec-fetch-site': 'same-origin' })).status).toBe(
      200,
    );
    expect((await post(port, ERASE, '{}', json)).status).toBe(200);
    expect((await ask(port, '/', { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(200);
  });

  test('behind a proxy the allowed name is ours, and its page', async () => {
    const { port } = await start({ allowHost: ['profiles.example.org', '*.cluster.local:8080'] }, undefined);
    const list = '/fleetflame.store.v1.JobService/ListJobs';
    const origin = 'https://profiles.example.org';
    for (const host of ['profiles.example.org', 'PROFILES.example.org:7171', own(port)]) {
      expect((await post(port, list, '{}', { ...json, host, origin })).status, host).toBe(200);
    }
    expect(
      (await post(port, list, '{}', { ...json, origin: 'https://profiles.example.org:8443' })).status,
    ).toBe(403);
    expect((await ask(port, '/', { headers: { host: 'a.cluster.local:8080' } })).status).toBe(200);
    expect((await ask(port, '/', { headers: { host: 'a.cluster.local' } })).status).toBe(421);
  });

  test('what cannot be undone is answered on loopback alone', async () => {
    const { port } = await start({ host: '0.0.0.0' });
    expect((await post(port, ERASE, '{}', json)).status).toBe(403);
    expect((await post(port, '/fleetflame.store.v1.JobService/ListJobs', '{}', json)).status).toBe(200);
  });
});

describe('every protocol passes, and is told in its own words', () => {
  const transports: readonly (readonly [string, (baseUrl: string) => Transport])[] = [
    ['Connect by HTTP/1', (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1' })],
    [
      'Connect by HTTP/2',
      (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: true }),
    ],
    ['gRPC', (baseUrl) => createGrpcTransport({ baseUrl })],
    ['gRPC-web by HTTP/1', (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })],
    ['gRPC-web by HTTP/2', (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2' })],
  ];

  test.each(transports)('%s', async (_name, transportTo) => {
    const started = await start({ limits: { messageBytes: 200 } });
    const transport = transportTo(`http://127.0.0.1:${started.port}`);
    const ingest = createClient(IngestService, transport);
    for (let i = 0; i < 3; i++) {
      expect(await ingest.write({ agentId: 'a', block: new Uint8Array(100_000) })).toMatchObject({
        duplicate: false,
      });
    }
    expect(started.blocks).toEqual([100_000, 100_000, 100_000]);
    // Refused before Connect sees it.
    const jobs = createClient(JobService, transport);
    const refusal: unknown = await jobs
      .erase({ labelName: 'x'.repeat(1000) })
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: Code.OutOfRange,
      rawMessage: expect.stringContaining('bytes, which is the limit'),
    });
    expect(await jobs.erase({ labelName: 'x' })).toMatchObject({ jobId: 'job' });
  });
});
