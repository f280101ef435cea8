/**
 * An HTTP proxy before an S3 server that does to requests what networks, balancers and servers do:
 *
 *   refused    500 or 503, and nothing has happened     unheard    500, and it has happened
 *   reset      the connection is cut before             hung up    it is cut after it has happened
 *   half       the answer is cut in the middle          short      half of the answer, which claims to be all
 *   flipped    one bit of a whole object is another     garbled    one bit of the request's body is another
 *   late       it happens, but after the client has given up
 *   bent       one bit of a part of an object is another: S3 has nothing that would tell
 *
 * Which request meets which fault follows from a seed and from the order in which requests come.
 */
import { once } from 'node:events';
import * as http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from './seeded-random.ts';

export const S3_FAULTS = [
  'refused',
  'unheard',
  'reset',
  'hung up',
  'half',
  'short',
  'flipped',
  'garbled',
  'late',
] as const;

export type S3Fault = (typeof S3_FAULTS)[number] | 'bent';

export interface S3Request {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export class FaultyS3 implements AsyncDisposable {
  readonly endpoint: string;
  /** How often each fault was injected. */
  readonly injected = new Map<S3Fault, number>();
  /** What happens to a request; undefined: it goes through. Default: nothing. */
  choose: (request: S3Request) => S3Fault | undefined = () => undefined;
  /** As servers do that know no conditional writes. */
  refuseConditional = false;
  /** How long `late` requests wait before they are passed on. */
  lateMs = 1000;
  readonly #target: URL;
  readonly #server: http.Server;
  readonly #random: SeededRandom;
  readonly #upstream = new http.Agent({ keepAlive: true });
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();

  private constructor(target: string, random: SeededRandom, server: http.Server, port: number) {
    this.#target = new URL(target);
    this.#random = random;
    this.#server = server;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async start(target: string, seed: number): Promise<FaultyS3> {
    const server = http.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening on a port');
    const proxy = new FaultyS3(target, new SeededRandom(seed), server, address.port);
    server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
      const running = proxy.#serve(request, response).catch(() => {
        request.socket.destroy();
      });
      proxy.#running.add(running);
      void running.finally(() => proxy.#running.delete(running));
    });
    return proxy;
  }

  /** A share of all requests meets one of these faults. */
  inject(share: number, faults: readonly S3Fault[]): void {
    this.choose = () => (this.#random.next() < share ? faults[this.#random.below(faults.length)] : undefined);
  }

  /** Resolves when what was passed on has been answered; what is late still is dropped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running);
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    this.#upstream.destroy();
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request;
    const wanted = this.choose({ method, url, headers });
    const fault = wanted !== undefined && applies(wanted, { method, url, headers }) ? wanted : undefined;
    if (fault !== undefined) this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1);
    if (headers.expect !== undefined) response.writeContinue();
    if (fault === 'reset') {
      request.socket.destroy();
      return;
    }
    const body = await readAll(request);
    if (this.refuseConditional && headers['if-none-match'] !== undefined) {
      sendError(response, 501);
      return;
    }
    if (fault === 'refused') {
      const status = this.#random.next() < 0.5 ? 500 : 503;
      sendError(response, status);
      return;
    }
    if (fault === 'late') await sleep(this.lateMs, undefined, { signal: this.#closing.signal });
    const answer = await this.#pass(request, fault === 'garbled' ? this.#flip(body) : body);
    switch (fault) {
      case 'unheard':
        sendError(response, 500);
        break;
      case 'hung up':
        request.socket.destroy();
        break;
      case 'half':
        response.writeHead(answer.status, answer.headers);
        response.write(answer.body.subarray(0, answer.body.length >> 1));
        setImmediate(() => request.socket.destroy());
        break;
      case 'short': {
        const half = answer.body.subarray(0, answer.body.length >> 1);
        const { 'transfer-encoding': _chunked, ...head } = answer.headers;
        response.writeHead(answer.status, { ...head, 'content-length': String(half.length) });
        response.end(half);
        break;
      }
      case 'flipped':
      case 'bent':
        send(response, { ...answer, body: this.#flip(answer.body) });
        break;
      default:
        send(response, answer);
    }
  }

  async #pass(request: http.IncomingMessage, body: Buffer): Promise<Answer> {
    const { method, url, headers } = request;
    const { hostname, port } = this.#target;
    // The host is signed: it stays the proxy's.
    const { expect: _expect, ...passed } = headers;
    const upstream = http.request({
      hostname,
      port,
      method,
      path: url,
      headers: passed,
      agent: this.#upstream,
    });
    upstream.end(body);
    const [answer] = (await once(upstream, 'response')) as [http.IncomingMessage];
    return { status: answer.statusCode ?? 500, headers: answer.headers, body: await readAll(answer) };
  }

  #flip(bytes: Buffer): Buffer {
    if (bytes.length === 0) return bytes;
    const flipped = Buffer.from(bytes);
    const at = Math.floor(this.#random.next() * flipped.length);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(this.#random.next() * 8));
    return flipped;
  }
}

/** Lies that nobody could tell from the truth are not told: the size of an object, a key in a list. */
function applies(fault: S3Fault, { method, url, headers }: S3Request): boolean {
  const isObject = method === 'GET' && !url.includes('list-type=');
  switch (fault) {
    case 'garbled':
      return method === 'PUT';
    case 'short':
    case 'half':
      return method === 'GET';
    case 'flipped':
      return isObject && headers.range === undefined;
    case 'bent':
      return isObject && headers.range !== undefined;
    default:
      return true;
  }
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function send(response: http.ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers);
  response.end(body);
}

const ERRORS = { 500: 'InternalError', 501: 'NotImplemented', 503: 'SlowDown' } as const;

function sendError(response: http.ServerResponse, status: keyof typeof ERRORS): void {
  const code = ERRORS[status];
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>injected</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': String(body.length) });
  response.end(body);
}
