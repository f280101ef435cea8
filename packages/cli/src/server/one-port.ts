import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';
import { FleetflameError } from '@fleetflame/profile';
import { ClientAddresses } from './door/client-address.ts';
import { ConnectionTable, type Connection } from './door/connection-table.ts';
import type { DoorMetrics } from './door/door-metrics.ts';
import { DOOR_LIMITS, type DoorLimits } from './door/limits.ts';
import { SECURITY_LINES } from './door/security-headers.ts';

/** What both servers hand to a handler: HTTP/2's compatibility API has the methods of HTTP/1's. */
export type Request = http.IncomingMessage;
export type Response = http.ServerResponse;
/** May not throw: guard.ts makes such a one of what may. `isHealthOnly`: there was no room for the connection. */
export type Handler = (request: Request, response: Response, isHealthOnly: boolean) => void;

export interface OnePortOptions {
  readonly limits?: Partial<DoorLimits>;
  readonly addresses?: ClientAddresses;
  readonly metrics?: DoorMetrics;
}

/** Bytes of all streams of a connection that are on the way; what has arrived is no longer counted by it. */
const H2_SESSION_WINDOW = 16 << 20;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** Connections whose client has gone without a word are noticed after this and some probes. */
const KEEP_ALIVE_MS = 60_000;

/** Calls `take` with what another process listens with. */
export type PortSource = (take: (handle: net.Server) => void) => void;

/**
 * One plaintext port for HTTP/1.1, HTTP/2 with prior knowledge, gRPC, Connect and JSON. Node's
 * HTTP/2 server refuses HTTP/1, so the first bytes of a connection decide which server gets it:
 *
 *   "PRI * HTTP/2.0" ─▶ http2      anything else ─▶ http
 */
export class OnePort {
  readonly #limits: DoorLimits;
  readonly #metrics: DoorMetrics | undefined;
  readonly #listener: net.Server;
  readonly #h1: http.Server;
  readonly #h2: http2.Http2Server;
  readonly #table: ConnectionTable;
  readonly #handler: Handler;
  readonly #sessions = new Map<http2.Http2Session, Connection>();
  readonly #connections = new Map<net.Socket, Connection>();
  /** The last answer of an HTTP/1 connection. */
  readonly #answering = new WeakMap<Duplex, Response>();
  /** Whose HTTP/2 session is being made. */
  #entering: Connection | undefined;
  #closing = false;

  constructor(handler: Handler, options: OnePortOptions = {}) {
    this.#limits = { ...DOOR_LIMITS, ...options.limits };
    this.#metrics = options.metrics;
    this.#handler = handler;
    this.#table = new ConnectionTable(
      this.#limits,
      options.addresses ?? new ClientAddresses([]),
      options.metrics,
    );
    this.#h1 = this.#createH1();
    this.#h2 = this.#createH2();
    this.#listener = net.createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
      (socket) => this.#accept(socket),
    );
  }

  get connections(): { readonly open: number; readonly idle: number } {
    return { open: this.#table.size, idle: this.#table.idle };
  }

  /** The port, which is the one asked for unless that was 0. `source`: somebody with more rights takes it for us. */
  async listen(host: string, port: number, source?: PortSource): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#listener.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      if (source === undefined) this.#listener.listen(port, host, resolve);
      else source((handle) => this.#listener.listen(handle, resolve));
    });
    // Such as "too many open files": the connection is not taken, the next one may be.
    this.#listener.on('error', () => this.#metrics?.refuse('connections'));
    const address = this.#listener.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /**
   * Stops accepting, ends connections that wait for a next request, tells the others not to send one,
   * and gives what is running `graceMs` before it is cut.
   */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const session of this.#sessions.keys()) session.close();
    const inHttp2 = new Set(this.#sessions.values());
    for (const connection of this.#table) {
      if (connection.requests === 0 && !inHttp2.has(connection)) connection.socket.end();
    }
    const cut = setTimeout(() => {
      for (const connection of this.#table) connection.socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(cut);
    this.#h1.close();
  }

  #createH1(): http.Server {
    const { headersMs, requestMs, headerBytes, headers } = this.#limits;
    const server = http.createServer({
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: headersMs / 4,
      // Idle connections are the table's affair.
      keepAliveTimeout: 0,
      maxHeaderSize: headerBytes,
    });
    // One more than is taken, so that the guard can see that there were more.
    server.maxHeadersCount = headers + 1;
    const take = (request: Request, response: Response): void => {
      const connection = this.#connections.get(request.socket);
      if (connection === undefined) {
        request.socket.destroy();
        return;
      }
      this.#table.count(connection, 1);
      this.#answering.set(request.socket, response);
      response.once('close', () => {
        this.#table.count(connection, -1);
        // Its last answer is on its way; a client that keeps the connection open would keep us waiting.
        if (this.#closing && connection.requests === 0) connection.socket.end();
      });
      // A connection that is busy at a stop ends with its answer, and the client knows.
      if (this.#closing || connection.healthOnly) response.setHeader('connection', 'close');
      this.#handler(request, response, connection.healthOnly);
    };
    server.on('request', take);
    // Told to go on when its turn has come, by who reads it.
    server.on('checkContinue', take);
    server.on('checkExpectation', take);
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#clientError(error, socket));
    server.on('connect', (_request, socket) => {
      this.#metrics?.refuse('method');
      answerRaw(socket, '405 Method Not Allowed');
    });
    // It never listens itself; from this event on it looks for connections that are too slow.
    server.emit('listening');
    return server;
  }

  #createH2(): http2.Http2Server {
    const { streams, streamWindowBytes, sessionBytes, resetBurst, resetsPerSecond, headers, headerBytes } =
      this.#limits;
    const server = http2.createServer({
      settings: {
        initialWindowSize: streamWindowBytes,
        maxConcurrentStreams: streams,
        maxHeaderListSize: headerBytes,
        enablePush: false,
      },
      // In megabytes.
      maxSessionMemory: Math.ceil(sessionBytes / 1e6),
      maxHeaderListPairs: headers + 4,
      streamResetBurst: resetBurst,
      streamResetRate: resetsPerSecond,
    });
    const take = (h2Request: http2.Http2ServerRequest, h2Response: http2.Http2ServerResponse): void => {
      const session = h2Request.stream.session;
      const connection = session === undefined ? undefined : this.#sessions.get(session);
      if (connection === undefined) {
        h2Request.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
        return;
      }
      this.#table.count(connection, 1);
      h2Request.stream.once('close', () => this.#table.count(connection, -1));
      // The compatibility API: same methods, other classes.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      const request = h2Request as unknown as Request;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      const response = h2Response as unknown as Response;
      this.#handler(request, response, connection.healthOnly);
    };
    server.on('request', take);
    server.on('checkContinue', take);
    server.on('session', (session) => this.#enterSession(session));
    server.on('sessionError', () => this.#metrics?.refuse('protocol'));
    return server;
  }

  #enterSession(session: http2.ServerHttp2Session): void {
    const connection = this.#entering;
    // Its own error is the server's sessionError; without a listener of its own it would be nobody's.
    session.on('error', () => {});
    if (connection === undefined) {
      session.destroy();
      return;
    }
    session.setLocalWindowSize(H2_SESSION_WINDOW);
    this.#sessions.set(session, connection);
    connection.end = () => {
      session.close();
      connection.socket.destroySoon();
    };
    // The preface is only half of the client's word: its SETTINGS belong to it.
    const silent = setTimeout(() => this.#cut(connection, 'firstBytesMs'), this.#limits.firstBytesMs);
    session.once('remoteSettings', () => clearTimeout(silent));
    session.once('close', () => {
      clearTimeout(silent);
      this.#sessions.delete(session);
      connection.socket.destroy();
    });
  }

  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    this.#metrics?.refuse(error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'requestMs' : 'protocol');
    const status = CLIENT_ERRORS.get(error.code ?? '') ?? '400 Bad Request';
    const begun = this.#answering.get(socket);
    // In the middle of an answer a second one would be read as a part of it.
    const isInTheMiddle = begun?.headersSent === true && !begun.writableFinished;
    answerRaw(socket, error.code === 'ECONNRESET' || isInTheMiddle ? undefined : status);
  }

  #cut(connection: Connection, reason: 'firstBytesMs'): void {
    this.#metrics?.cut.inc({ reason });
    connection.socket.destroy();
  }

  #accept(socket: net.Socket): void {
    socket.on('error', () => socket.destroy());
    const connection = this.#table.add(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    this.#connections.set(socket, connection);
    const silent = setTimeout(() => this.#cut(connection, 'firstBytesMs'), this.#limits.firstBytesMs);
    socket.on('close', () => {
      clearTimeout(silent);
      this.#table.remove(connection);
      this.#connections.delete(socket);
    });
    let read: Buffer = Buffer.alloc(0);
    const look = (): void => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a socket without an encoding reads buffers
      const more = socket.read() as Buffer | null;
      // Its end, which closes it.
      if (more === null) return;
      read = read.length === 0 ? more : Buffer.concat([read, more]);
      const isPrefix = read.length < PREFACE.length && PREFACE.subarray(0, read.length).equals(read);
      if (isPrefix) return;
      clearTimeout(silent);
      socket.off('readable', look);
      socket.unshift(read);
      if (!read.subarray(0, PREFACE.length).equals(PREFACE)) {
        this.#h1.emit('connection', socket);
        return;
      }
      this.#entering = connection;
      this.#h2.emit('connection', socket);
      this.#entering = undefined;
    };
    socket.on('readable', look);
  }
}

const CLIENT_ERRORS: ReadonlyMap<string, string> = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', '413 Payload Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
]);

/** To what is no request; undefined: nobody is there to read it. */
function answerRaw(socket: Duplex, status: string | undefined): void {
  socket.on('error', () => {});
  if (status === undefined || !socket.writable) {
    socket.destroy();
    return;
  }
  const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n${SECURITY_LINES}\r\n`;
  socket.end(head, () => socket.destroy());
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): FleetflameError {
  const where = `${host}:${port}`;
  if (error.code === 'EADDRINUSE') {
    // It may be free the next time: who restarts it tries again.
    return new FleetflameError(
      'unavailable',
      `${where} is in use: is fleetflame running already? Choose another with --listen`,
      { cause: error },
    );
  }
  return new FleetflameError('unsupported', `cannot listen on ${where}: ${error.message}`, { cause: error });
}

/** host:port, :port or port. Throws FleetflameError invalid_input that begins with `name`. */
export function parseListen(text: string, name: string): { readonly host: string; readonly port: number } {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[^:]*):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new FleetflameError(
      'invalid_input',
      `${name}: "${text}" is not HOST:PORT, such as 127.0.0.1:7171`,
      { field: name },
    );
  }
  const host = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '127.0.0.1' : host, port };
}
