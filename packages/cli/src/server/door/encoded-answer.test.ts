import { create, equals, toBinary, toJsonString } from '@bufbuild/protobuf';
import { Code, createClient, type Client, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { QueryService, TopResponseSchema, type TopResponse } from '@fleetflame/proto/query/v1/query';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gzipFast } from '../compression.ts';
import { FleetflameError } from '@fleetflame/profile';
import { rpcErrors } from '../rpc-errors.ts';
import { Door } from './door.ts';
import { answerSlotOf, COMPRESS_MIN_BYTES } from './encoded-answer.ts';

const log = pino({ level: 'silent' });

/** As many functions as are asked for; the words are such that some are not ASCII. */
function answerOf(functions: number): TopResponse {
  return create(TopResponseSchema, {
    total: BigInt(functions),
    functions: Array.from({ length: functions }, (_, i) => ({
      name: `größe ${i}`,
      self: 1n,
      total: BigInt(i),
    })),
  });
}

let baseUrl: string;
let close: () => Promise<void>;
const formats = new Set<string>();

beforeAll(async () => {
  const door = new Door({ registry: new Registry(), log, host: '127.0.0.1' });
  const port = door.open(
    door.rpc(
      (router) =>
        router.service(QueryService, {
          top({ limit }, call) {
            if (limit === 7) throw new FleetflameError('limit_exceeded', 'limit is 7.', { field: 'limit' });
            const slot = answerSlotOf(call);
            const answer = answerOf(limit);
            // What has no slot, or does not use it, is answered by Connect.
            if (slot === undefined || limit === 1) return answer;
            formats.add(slot.format);
            slot.fill(
              slot.format === 'json'
                ? new TextEncoder().encode(toJsonString(TopResponseSchema, answer))
                : toBinary(TopResponseSchema, answer),
            );
            return {};
          },
        }),
      {
        acceptCompression: [gzipFast],
        compressMinBytes: COMPRESS_MIN_BYTES,
        interceptors: [rpcErrors(log)],
      },
      {},
      ({ response }) => void response.end('page'),
    ),
  );
  baseUrl = `http://127.0.0.1:${await port.listen('127.0.0.1', 0)}`;
  close = () => port.close(0);
});
afterAll(async () => close());

interface Way {
  readonly name: string;
  readonly transport: (options: { readonly useBinaryFormat: boolean; readonly isGzip: boolean }) => Transport;
}

const WAYS: readonly Way[] = [
  {
    name: 'Connect',
    transport: ({ useBinaryFormat, isGzip }) =>
      createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat, ...accepting(isGzip) }),
  },
  {
    name: 'gRPC',
    transport: ({ useBinaryFormat, isGzip }) =>
      createGrpcTransport({ baseUrl, useBinaryFormat, ...accepting(isGzip) }),
  },
  {
    name: 'gRPC-web',
    transport: ({ useBinaryFormat, isGzip }) =>
      createGrpcWebTransport({ baseUrl, httpVersion: '2', useBinaryFormat, ...accepting(isGzip) }),
  },
];

function accepting(isGzip: boolean): { readonly acceptCompression?: [] } {
  return isGzip ? {} : { acceptCompression: [] };
}

describe.for(WAYS)('by $name', ({ transport }) => {
  test.for([
    { useBinaryFormat: true, isGzip: true },
    { useBinaryFormat: true, isGzip: false },
    { useBinaryFormat: false, isGzip: true },
    { useBinaryFormat: false, isGzip: false },
  ])('an answer that is written already is sent as it is: %o', async (options) => {
    const client: Client<typeof QueryService> = createClient(QueryService, transport(options));
    formats.clear();
    for (const limit of [0, 1, 3, 2000]) {
      expect([limit, equals(TopResponseSchema, await client.top({ limit }), answerOf(limit))]).toEqual([
        limit,
        true,
      ]);
    }
    expect([...formats]).toEqual([options.useBinaryFormat ? 'proto' : 'json']);
    await expect(client.top({ limit: 7 })).rejects.toMatchObject({
      code: Code.OutOfRange,
      rawMessage: 'limit is 7.',
    });
  });
});

async function ask(limit: number, encoding: string): Promise<Response> {
  return await fetch(`${baseUrl}/fleetflame.query.v1.QueryService/Top`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'accept-encoding': encoding },
    body: JSON.stringify({ limit }),
  });
}

test('what is sent to curl says its length, and is compressed when that is accepted', async () => {
  const plain = await ask(2000, 'identity');
  const text = await plain.text();
  expect(text).toBe(toJsonString(TopResponseSchema, answerOf(2000)));
  expect(plain.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
  const packed = await ask(2000, 'br, gzip');
  expect(packed.headers.get('content-encoding')).toBe('gzip');
  expect(Number(packed.headers.get('content-length'))).toBeLessThan(text.length / 4);
  expect(await packed.text()).toBe(text);
  expect((await ask(2, 'gzip')).headers.get('content-encoding')).toBeNull();
});
