import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { FleetflameError } from '@fleetflame/profile';

/** What both servers hand to a handler: HTTP/2's compatibility API has the methods of HTTP/1's. */
export type Request = http.IncomingMessage;
export type Response = http.ServerResponse;
export type Handler = (request: Request, response: Response) => void;

/** More connections than this are refused: a host has one agent and a person a few tabs. */
const MAX_CONNECTIONS = 4096;
/** The first bytes of a connection must come within this time. */
const FIRST_BYTES_TIMEOUT_MS = 10_000;
/** A request's headers, and all of it: an upload of 64 MiB over a slow line takes minutes. */
const HEADERS_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 300_000;
/** Requests at once on one connection, such as that of a load balancer. */
const H2_STREAMS = 1000;
/** HTTP/2 flow control: the default of 64 KiB halves the throughput of batches of 100 KiB. */
const H2_STREAM_WINDOW = 4 << 20;
const H2_SESSION_WINDOW = 16 << 20;

/**
 * One plaintext port for HTTP/1.1, HTTP/2 with prior knowledge, gRPC, Connect and JSON. Node's
 * HTTP/2 server refuses HTTP/1, so the first bytes of a connection decide which server gets it:
 *
 *   "PRI * HTTP/2.0" ─▶ http2      anything else ─▶ http
 */
export class OnePort {
  readonly #listener: net.Server;
  readonly #h1: http.Server;
  readonly #h2: http2.Http2Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  /** Running requests of HTTP/1 connections, and of those that have not said yet what they are. */
  readonly #busy = new Map<net.Socket, number>();
  #closing = false;

  /** @param headersTimeoutMs until the headers of an HTTP/1 request must be there */
  constructor(handler: Handler, headersTimeoutMs = HEADERS_TIMEOUT_MS) {
    const timeouts = {
      headersTimeout: headersTimeoutMs,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: headersTimeoutMs / 4,
    };
    this.#h1 = http.createServer(timeouts, (request, response) => {
      this.#count(request.socket, 1);
      response.once('close', () => this.#count(request.socket, -1));
      // A connection that is busy at a stop ends with its answer, and the client knows.
      if (this.#closing) response.setHeader('connection', 'close');
      handler(request, response);
    });
    // It never listens itself; from this event on it looks for connections that are too slow.
    this.#h1.emit('listening');
    this.#h2 = http2.createServer(
      { settings: { initialWindowSize: H2_STREAM_WINDOW, maxConcurrentStreams: H2_STREAMS } },
      (request, response) =>
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the compatibility API: same methods, other classes
        handler(request as unknown as Request, response as unknown as Response),
    );
    this.#h2.on('session', (session) => {
      session.setLocalWindowSize(H2_SESSION_WINDOW);
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
    });
    this.#h2.on('sessionError', () => {});
    this.#listener = net.createServer((socket) => this.#accept(socket));
    this.#listener.maxConnections = MAX_CONNECTIONS;
  }

  /** The port, which is the one asked for unless that was 0. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#listener.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      this.#listener.listen(port, host, resolve);
    });
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
    for (const session of this.#sessions) session.close();
    for (const [socket, requests] of this.#busy) if (requests === 0) socket.end();
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(cut);
    this.#h1.close();
  }

  #count(socket: net.Socket, change: 1 | -1): void {
    const requests = (this.#busy.get(socket) ?? 0) + change;
    // Its last answer is on its way; a client that keeps the connection open would keep us waiting.
    if (requests === 0 && this.#closing) socket.end();
    if (this.#busy.has(socket)) this.#busy.set(socket, requests);
  }

  #accept(socket: net.Socket): void {
    this.#sockets.add(socket);
    this.#busy.set(socket, 0);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#busy.delete(socket);
    });
    socket.on('error', () => socket.destroy());
    socket.setTimeout(FIRST_BYTES_TIMEOUT_MS, () => socket.destroy());
    socket.once('readable', () => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a socket without an encoding reads buffers
      const first = socket.read() as Buffer | null;
      if (first === null) {
        socket.destroy();
        return;
      }
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      socket.unshift(first);
      const isHttp2 = first.subarray(0, 3).toString('latin1') === 'PRI';
      if (isHttp2) this.#busy.delete(socket);
      (isHttp2 ? this.#h2 : this.#h1).emit('connection', socket);
    });
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): FleetflameError {
  const where = `${host}:${port}`;
  if (error.code === 'EADDRINUSE') {
    return new FleetflameError(
      'unsupported',
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
