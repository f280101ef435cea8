/** What a stranger may write on a connection: requests that are nearly right, quite wrong, and anything in between. */
import type { SeededRandom } from '@fleetflame/store/testing';

export interface HostileConnection {
  /** As they go out, one write each. */
  readonly writes: readonly Buffer[];
  /** Requests, or streams, in them. */
  readonly requests: number;
  /** How it ends. */
  readonly end: 'wait' | 'half' | 'reset';
}

const PATHS = [
  '/',
  '/healthz',
  '/readyz',
  '/metrics',
  '/status',
  '/index.html',
  '/assets/none.js',
  '/__proto__',
  '/constructor',
  '/toString',
  '/hasOwnProperty',
  '/fleetflame.ingest.v1.IngestService/Write',
  '/fleetflame.ingest.v1.IngestService/WritePprof',
  '/fleetflame.query.v1.QueryService/Series',
  '/fleetflame.query.v1.QueryService/FlameGraph',
  '/fleetflame.query.v1.QueryService/__proto__',
  '/fleetflame.store.v1.BlockService/List',
  '/fleetflame.store.v1.JobService/ListJobs',
  '/fleetflame.symbols.v1.SymbolService/Wanted',
  '/fleetflame.symbols.v1.SymbolService/Upload',
] as const;
const TARGETS = [
  '//',
  '///',
  '/\\\\',
  '*',
  '',
  'http://',
  'http://[',
  'http://[::1',
  'http://localhost/status',
  'http://evil.example/status',
  'https://localhost:99999/',
  'localhost:443',
  '/%',
  '/%00',
  '/%ff%fe',
  '/../../etc/passwd',
  '/..%2f..%2fetc/passwd',
  '/?',
  '/#',
  '/;',
  '?',
  '#',
  'file:///etc/passwd',
  'javascript:alert(1)',
] as const;
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PATCH',
  'PRI',
  'get',
  'G\tT',
  'M-SEARCH',
  'SOURCE',
  '',
] as const;
const HOSTS = [
  'localhost',
  '127.0.0.1',
  '[::1]',
  'evil.example',
  '',
  '[',
  '::1',
  'a b',
  'localhost:99999',
  '127.0.0.1:0',
  '@',
  'localhost/x',
  '%00',
] as const;
const TYPES = [
  'application/json',
  'application/proto',
  'application/grpc',
  'application/grpc-web+proto',
  'application/connect+json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain',
  '',
  ';',
  'application/json; charset=utf-16',
] as const;
const HEADERS = [
  ['origin', 'http://evil.example'],
  ['origin', 'null'],
  ['origin', 'http://['],
  ['sec-fetch-site', 'cross-site'],
  ['sec-fetch-site', 'none'],
  ['content-encoding', 'gzip'],
  ['content-encoding', 'br, gzip'],
  ['grpc-encoding', 'gzip'],
  ['connect-timeout-ms', '99999999999999'],
  ['grpc-timeout', '-1S'],
  ['connect-protocol-version', '9'],
  ['expect', '100-continue'],
  ['expect', 'nothing'],
  ['x-forwarded-for', '1.2.3.4, ::::'],
  ['forwarded', 'for="[::1'],
  ['accept-encoding', '*;q=0,gzip'],
  ['content-length', '5'],
  ['content-length', '-1'],
  ['content-length', '99999999999999999999'],
  ['transfer-encoding', 'chunked'],
  ['transfer-encoding', 'gzip, chunked'],
  ['connection', 'upgrade'],
  ['upgrade', 'websocket'],
  ['upgrade', 'h2c'],
  ['trailer', 'host'],
  ['te', 'trailers'],
  ['cookie', 'a=b'],
  ['__proto__', 'x'],
  ['constructor', 'x'],
  ['range', 'bytes=0-'],
  ['content-type', 'application/json'],
] as const;

export class HostileRequests {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** One connection of HTTP/1: a request or a few in a row. */
  http1(): HostileConnection {
    const requests = this.#random.below(4) === 0 ? 1 + this.#random.below(6) : 1;
    const writes = Array.from({ length: requests }, () => this.#request()).flat();
    return { writes, requests, end: this.#end() };
  }

  /** One connection of HTTP/2: its preface, or nearly, and frames. */
  http2(): HostileConnection {
    const streams = 1 + this.#random.below(24);
    const writes: Buffer[] = [this.#preface()];
    if (!this.#chance(20)) writes.push(frame(4, 0, 0, this.#settings()));
    for (let i = 0; i < streams; i++) writes.push(...this.#stream(i * 2 + 1));
    // Mostly together, as a client that knows what it wants sends them.
    const all = this.#chance(3) ? writes : [Buffer.concat(writes)];
    return { writes: all, requests: streams, end: this.#end() };
  }

  #request(): Buffer[] {
    const body = this.#body();
    const lines = [
      `${this.#method()} ${this.#target()} ${this.#pick(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''])}`,
    ];
    for (let i = this.#pick([0, 1, 1, 1, 1, 2]); i > 0; i--) lines.push(`host: ${this.#host()}`);
    if (!this.#chance(4)) lines.push(`content-type: ${this.#pick(TYPES)}`);
    if (!this.#chance(3))
      lines.push(`content-length: ${this.#chance(5) ? this.#random.below(100_000) : body.length}`);
    for (let i = this.#random.below(5); i > 0; i--) lines.push(this.#pick(HEADERS).join(': '));
    if (this.#chance(30)) for (let i = this.#random.below(300); i > 0; i--) lines.push(`x-${i}: ${i}`);
    if (this.#chance(30)) lines.push(`x-long: ${'x'.repeat(this.#random.below(40_000))}`);
    if (this.#chance(30)) lines.push(this.#noise(40).toString('latin1'));
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    if (this.#chance(10)) return [head.subarray(0, this.#random.below(head.length)), body];
    return this.#chance(4) ? [head, body] : [Buffer.concat([head, body])];
  }

  #stream(id: number): Buffer[] {
    const headers: [string, string][] = [];
    const pseudo: readonly (readonly [string, string])[] = [
      [':method', this.#method()],
      [':path', this.#target()],
      [':scheme', this.#pick(['http', 'http', 'https', '', 'x'])],
      [':authority', this.#host()],
    ];
    for (const one of pseudo) if (!this.#chance(15)) headers.push([...one]);
    if (this.#chance(15))
      headers.push([this.#pick([':status', ':protocol', ':path', ':method', ':', '']), 'x']);
    if (!this.#chance(4)) headers.push(['content-type', this.#pick(TYPES)]);
    for (let i = this.#random.below(5); i > 0; i--) headers.push([...this.#pick(HEADERS)]);
    if (this.#chance(40)) for (let i = this.#random.below(200); i > 0; i--) headers.push([`x-${i}`, 'x']);
    const body = this.#body().subarray(0, 16_384);
    const block = Buffer.concat(headers.map(([name, value]) => literal(name, value)));
    const ends = this.#chance(4);
    const frames = [frame(1, (this.#chance(20) ? 0 : 4) | (ends ? 1 : 0), id, block.subarray(0, 16_384))];
    if (this.#chance(12)) frames.push(this.#oddFrame(id));
    if (!ends) frames.push(frame(0, this.#chance(5) ? 0 : 1, id, body));
    if (this.#chance(12)) frames.push(this.#oddFrame(id));
    // Trailers.
    if (this.#chance(25)) frames.push(frame(1, 5, id, literal('x-trailer', 'x')));
    return frames;
  }

  /** Frames that a client sends too often, too late, too long, or never. */
  #oddFrame(id: number): Buffer {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(this.#pick([0, 1, 0x7fff_ffff, 8]));
    return this.#pick([
      () => frame(3, 0, id, number),
      () => frame(6, 0, 0, Buffer.alloc(8)),
      () => frame(6, 0, 0, Buffer.alloc(3)),
      () => frame(8, 0, this.#pick([0, id]), number),
      () => frame(2, 0, id, Buffer.alloc(5)),
      () => frame(4, 0, 0, this.#settings()),
      () => frame(9, 4, id, literal('x', 'x')),
      () => frame(7, 0, 0, Buffer.alloc(8)),
      () => frame(5, 4, id, Buffer.alloc(4)),
      () => frame(this.#random.below(256), this.#random.below(256), this.#random.below(40), this.#noise(64)),
    ])();
  }

  #preface(): Buffer {
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    if (!this.#chance(25)) return Buffer.from(preface);
    return Buffer.from(
      this.#pick([preface.slice(0, this.#random.below(24)), preface.replace('SM', 'XX'), 'PRI']),
    );
  }

  #settings(): Buffer {
    const entries = Array.from({ length: this.#random.below(4) }, () => {
      const entry = Buffer.alloc(6);
      entry.writeUInt16BE(this.#random.below(9));
      entry.writeUInt32BE(this.#pick([0, 1, 65_535, 0x7fff_ffff, 0xffff_ffff]), 2);
      return entry;
    });
    return Buffer.concat(entries);
  }

  #method(): string {
    return this.#chance(3) ? this.#pick(METHODS) : this.#pick(['GET', 'POST', 'POST']);
  }

  #target(): string {
    if (this.#chance(3)) return this.#pick(TARGETS);
    if (this.#chance(8)) return `/${this.#noise(30).toString('latin1')}`;
    return (
      this.#pick(PATHS) + this.#pick(['', '', '', '?', '?encoding=json&message=%7B%7D', '/', '#x', '?x=%zz'])
    );
  }

  #host(): string {
    return this.#chance(3) ? this.#pick(HOSTS) : '127.0.0.1';
  }

  #body(): Buffer {
    return this.#pick([
      () => Buffer.alloc(0),
      () => Buffer.from('{}'),
      () =>
        Buffer.from(
          '{"scope":{"fromMs":"-9223372036854775808","toMs":"9223372036854775807","selector":"{a=~\\"("},"stepMs":"0"}',
        ),
      () => Buffer.from(`{"scope":${'['.repeat(this.#random.below(20_000))}`),
      () => Buffer.from('{"__proto__":{"x":1},"constructor":1}'),
      () => Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, ...this.#noise(20)]),
      () => Buffer.concat([Buffer.alloc(this.#random.below(5000), 0x2b), Buffer.alloc(10, 0x2c)]),
      () => Buffer.from([0, 0, 0, 0, this.#random.below(9), ...this.#noise(9)]),
      () => Buffer.from([1, 255, 255, 255, 255]),
      () =>
        Buffer.from(
          `${this.#random.below(30).toString(16)}\r\n${'x'.repeat(this.#random.below(30))}\r\n0\r\n\r\n`,
        ),
      () => this.#noise(400),
      () => Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, ...this.#noise(5)]),
    ])();
  }

  #noise(most: number): Buffer {
    return Buffer.from(Array.from({ length: this.#random.below(most) }, () => this.#random.below(256)));
  }

  #end(): HostileConnection['end'] {
    return this.#pick(['wait', 'wait', 'half', 'half', 'reset']);
  }

  /** True once in so many times. */
  #chance(times: number): boolean {
    return this.#random.below(times) === 0;
  }

  #pick<T>(from: readonly T[]): T {
    const one = from[this.#random.below(from.length)];
    if (one === undefined) throw new RangeError('there is nothing to pick from');
    return one;
  }
}

/** A frame of HTTP/2, RFC 9113 section 4.1: length u24 · type u8 · flags u8 · stream u32 · payload. */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header as HPACK writes it out, RFC 7541 section 6.2.2: nothing is indexed, nothing Huffman coded. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function text(of: string): Buffer {
  const bytes = Buffer.from(of, 'latin1').subarray(0, 126);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
