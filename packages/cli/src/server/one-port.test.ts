import { once } from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { expect, test } from 'vitest';
import { OnePort, type Response } from './one-port.ts';

/** Longer than any test: what ends before was not cut. */
const NEVER_MS = 300_000;

/** A server whose requests are answered when the test says so. */
async function start(): Promise<{ port: OnePort; number: number; waiting: () => Promise<Response> }> {
  const arrived: Response[] = [];
  const takers: ((response: Response) => void)[] = [];
  const port = new OnePort((_request, response) => {
    const taker = takers.shift();
    if (taker === undefined) arrived.push(response);
    else taker(response);
  });
  const number = await port.listen('127.0.0.1', 0);
  const waiting = async (): Promise<Response> => {
    const first = arrived.shift();
    return first ?? (await new Promise<Response>((resolve) => takers.push(resolve)));
  };
  return { port, number, waiting };
}

async function get(number: number, agent: http.Agent): Promise<http.IncomingMessage> {
  const request = http.get({ host: '127.0.0.1', port: number, agent });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response;
}

test('a stop ends idle connections at once, and busy ones with their answer', async () => {
  const { port, number, waiting } = await start();
  const idle = new http.Agent({ keepAlive: true });
  const busy = new http.Agent({ keepAlive: true });
  const early = get(number, idle);
  (await waiting()).end('early');
  expect((await early).statusCode).toBe(200);
  // One that has not said a word yet.
  const silent = net.connect(number, '127.0.0.1');
  await once(silent, 'connect');

  const late = get(number, busy);
  const response = await waiting();
  const closed = port.close(NEVER_MS);
  await once(silent, 'close');
  response.end('late');
  expect((await late).statusCode).toBe(200);
  await closed;
  idle.destroy();
  busy.destroy();
});

test('a stop tells HTTP/2 clients to go, and answers what they have asked', async () => {
  const { port, number, waiting } = await start();
  const session = http2.connect(`http://127.0.0.1:${number}`);
  const stream = session.request({ ':path': '/' });
  const response = await waiting();
  const goaway = once(session, 'goaway');
  const closed = port.close(NEVER_MS);
  await goaway;
  response.end('answer');
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).toString()).toBe('answer');
  await closed;
});

test('what takes longer than the grace is cut', async () => {
  const { port, number, waiting } = await start();
  const agent = new http.Agent();
  const request = http.get({ host: '127.0.0.1', port: number, agent });
  const failed = once(request, 'error');
  await waiting();
  await port.close(10);
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
});

test('a request whose headers come one byte at a time is cut off, others are answered', async () => {
  const port = new OnePort((_request, response) => response.end('ok'), {
    limits: { headersMs: 200 },
  });
  const number = await port.listen('127.0.0.1', 0);
  const slow = net.connect(number, '127.0.0.1');
  await once(slow, 'connect');
  const drip = setInterval(() => slow.write('a'), 20);
  slow.write('GET / HTTP/1.1\r\nhost: ');
  const answer: string[] = [];
  slow.on('data', (bytes) => answer.push(bytes.toString()));
  slow.on('error', () => undefined);
  await once(slow, 'close');
  clearInterval(drip);
  expect(answer.join('')).toMatch(/^HTTP\/1\.1 408 /);
  const agent = new http.Agent({ keepAlive: true });
  expect((await get(number, agent)).statusCode).toBe(200);
  agent.destroy();
  await port.close(NEVER_MS);
});
