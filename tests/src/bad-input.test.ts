import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Code, ConnectError } from '@connectrpc/connect';
import { scaled } from '@fleetflame/testing';
import { BlockBuilder, encodeBlock } from '@fleetflame/profile';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from './support/product.ts';
import { Workshop } from './support/workloads.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

describe('bad input', () => {
  let workshop: Workshop;
  let product: Product;

  beforeAll(async () => {
    workshop = await Workshop.open();
    product = await Product.start({ args: ['--no-agent'] });
  });

  afterAll(async () => {
    await product?.stop();
    await product?.remove();
    await workshop?.close();
  });

  it.each([
    ['nothing at all', new Uint8Array(0), /empty|no /i],
    ['text', new TextEncoder().encode('hello, this is not a profile'), /pprof/i],
    ['a truncated gzip', gzipSync(new Uint8Array(1000)).subarray(0, 15), /gzip/i],
    ['a gzip bomb', gzipSync(new Uint8Array(1 << 30), { level: 1 }), /inflate|larger|limit/i],
    [
      'a string index out of range',
      Uint8Array.of(0x0a, 0x04, 0x08, 0x7f, 0x10, 0x7f, 0x32, 0x00),
      /sample_type/,
    ],
    ['a length past the end', Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0x7f), /sample_type\[0\].*bytes.*left/i],
  ])('push refuses %s and says why', async (_name, bytes, reason) => {
    const file = join(workshop.directory, 'bad.pb.gz');
    await writeFile(file, bytes);
    const pushed = await product.cli('push', file, '--label', 'service_name=bad');
    expect(pushed.code).toBe(1);
    expect(pushed.stderr).toMatch(/^error: /);
    expect(pushed.stderr).toMatch(reason);
    expect(pushed.stderr).not.toMatch(/\n\s+at /);
  });

  it('refuses blocks that are cut or changed anywhere, and goes on', async () => {
    const good = block('victim', 1);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, flip, cut) => {
          const bad = cut ? good.slice(0, at) : Uint8Array.from(good);
          if (!cut) bad[at] = (bad[at] ?? 0) ^ flip;
          const error: unknown = await product.ingest
            .write({ agentId: 'fuzz', seq: 1n, block: bad })
            .catch((cause: unknown) => cause);
          expect(error).toBeInstanceOf(ConnectError);
          expect([Code.InvalidArgument, Code.DataLoss, Code.OutOfRange]).toContain(
            (error as ConnectError).code,
          );
        },
      ),
      { numRuns: scaled(150, 10_000) },
    );
    await product.ingest.write({ agentId: 'fuzz', seq: 1n, block: good });
    const answer = await product.query.top({
      scope: {
        fromMs: BigInt(Date.now() - 60_000),
        toMs: BigInt(Date.now() + 1000),
        selector: '',
        profileType: CPU,
      },
    });
    expect(answer.total).toBe(1n);
  });

  it.each([
    ['QueryService/Top', '{"scope":{"fromMs":"5","toMs":"1"}}', 400, /from/i],
    ['QueryService/Top', '{"scope":{"fromMs":"1","toMs":"5","selector":"{a=}"}}', 400, /position|column/i],
    [
      'QueryService/Top',
      '{"scope":{"fromMs":"1","toMs":"5","selector":"{a=~\\"(\\"}"}}',
      400,
      /regular expression|regex/i,
    ],
    ['QueryService/Top', '{"nope":1}', 400, /nope/],
    ['QueryService/Top', '{', 400, /json/i],
    [
      'QueryService/Series',
      '{"scope":{"fromMs":"1795000000000","toMs":"1798000000000"},"stepMs":"1000"}',
      400,
      /step/i,
    ],
    ['QueryService/Series', '{"scope":{"fromMs":"1","toMs":"5"},"stepMs":"-1"}', 400, /step/i],
  ])('%s with %s is answered with %i and the reason', async (rpc, body, status, reason) => {
    const response = await fetch(`${product.url}/fleetflame.query.v1.${rpc}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(status);
    // The JSON of a Connect error.
    expect(((await response.json()) as { message: string }).message).toMatch(reason);
  });

  it('refuses a request larger than the limit without reading it into memory', async () => {
    const error: unknown = await product.ingest
      .write({ agentId: 'huge', seq: 1n, block: new Uint8Array(70 << 20) })
      .catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ConnectError);
    expect((await product.get('/healthz')).status).toBe(200);
  });

  it('survives garbage on the port', async () => {
    const { connect } = await import('node:net');
    const port = Number(new URL(product.url).port);
    for (const bytes of [
      '\0\0\0\0',
      'PRI * HTTP/2.0\r\n\r\nXX',
      'GET',
      'POST / HTTP/1.1\r\ncontent-length: -5\r\n\r\n',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
        socket.resume();
      });
    }
    expect((await product.get('/healthz')).status).toBe(200);
  });
});

function block(service: string, value: number): Uint8Array {
  const builder = new BlockBuilder();
  const name = builder.string('main');
  const fn = builder.function(name, name, builder.string('main.c'), 1);
  const series = builder.series(CPU, 1, { service_name: service });
  builder.add(series, builder.stack(0, builder.location(0, 0, 0, [fn, 1])), Date.now(), value);
  return encodeBlock(builder.build());
}
