/**
 * The one door: every request of every role goes through it, whatever the protocol.
 *
 *   request ─▶ target, method, host, origin ─▶ handler ─▶ answer
 *                  │ Refusal: 4xx, counted        │ anything thrown: 500, counted, logged
 *                  └──────────────────────────────┴──▶ an answer, and the server lives
 */
import type { Handler, Request, Response } from '../one-port.ts';
import { answerError } from './answer-error.ts';
import type { ClientAddresses } from './client-address.ts';
import type { DoorMetrics } from './door-metrics.ts';
import { cutAnswer, streamOf } from './h2-stream.ts';
import type { Hosts } from './hosts.ts';
import type { DoorLimits } from './limits.ts';
import type { RareLog } from './rare-log.ts';
import { Refusal } from './refusal.ts';
import { parseTarget } from './request-target.ts';
import { setSecurityHeaders } from './security-headers.ts';
import type { Watch } from './watch.ts';

/** A request that was let in. */
export interface Visit {
  readonly request: Request;
  readonly response: Response;
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  /** Whose share it counts against. */
  readonly owner: string;
  /** Of an absolute target. */
  readonly authority: string | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** May throw, at once or later: a Refusal is for the sender, anything else our fault. */
export type DoorHandler = (visit: Visit) => void | Promise<void>;

export interface GuardOptions {
  readonly hosts: Hosts;
  readonly addresses: ClientAddresses;
  readonly limits: DoorLimits;
  readonly metrics: DoorMetrics;
  readonly log: RareLog;
  readonly watch: Watch;
}

/** Answered also where there is no room. */
const HEALTH: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);
/** Asked by balancers and orchestrators under any name. */
const ANY_HOST: ReadonlySet<string> = new Set(['/healthz', '/readyz']);
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);
export const ALLOW = 'GET, HEAD, POST, OPTIONS';

export function guard(handler: DoorHandler, options: GuardOptions): Handler {
  const { metrics, log } = options;
  return (request, response, isHealthOnly) => {
    // Without these an error of the stream, such as a client that resets it, would be nobody's.
    request.on('error', () => {});
    response.on('error', () => {});
    const fail = (error: unknown): void => {
      if (error instanceof Refusal) metrics.refuse(error.reason);
      else {
        metrics.errors.inc({ part: 'handler' });
        log.write('error', 'a handler failed', { err: error, method: request.method });
      }
      try {
        answerError(request, response, error);
      } catch (cause) {
        metrics.errors.inc({ part: 'answer' });
        log.write('error', 'an answer failed', { err: cause });
        cutAnswer(response);
      }
    };
    try {
      setSecurityHeaders(response);
      const visit = letIn(request, response, isHealthOnly, options);
      if (visit === undefined) return;
      watchAnswer(response, options);
      Promise.resolve(handler(visit)).catch(fail);
    } catch (error) {
      fail(error);
    }
  };
}

/** Throws Refusal; undefined: it is answered. */
function letIn(
  request: Request,
  response: Response,
  isHealthOnly: boolean,
  { hosts, addresses, limits }: GuardOptions,
): Visit | undefined {
  const method = request.method ?? '';
  const target = parseTarget(request.url ?? '');
  if (target === undefined) {
    throw new Refusal('target', 400, 'The target of the request is neither a path nor an http:// URL.');
  }
  const { path, authority } = target;
  if (!METHODS.has(method)) {
    throw new Refusal('method', 405, 'There is no such method here.', { allow: ALLOW });
  }
  if (path === '*' && method !== 'OPTIONS')
    throw new Refusal('target', 400, 'Only OPTIONS is about everything.');
  if (request.rawHeaders.length / 2 > limits.headers) {
    throw new Refusal('headers', 431, `The request has more than ${limits.headers} headers.`);
  }
  if (isHealthOnly && !HEALTH.has(path)) {
    throw new Refusal('connections', 503, 'There are too many connections: try again in a few seconds.', {
      'retry-after': '2',
    });
  }
  const isRead = method === 'GET' || method === 'HEAD';
  if (!(isRead && ANY_HOST.has(path))) hosts.check(request, authority);
  if (method === 'OPTIONS') {
    // No page elsewhere is told that it may: there are no headers of CORS.
    response.writeHead(204, { allow: ALLOW });
    response.end();
    return undefined;
  }
  if (!isRead) hosts.checkOrigin(request, authority);
  if (isRead && hasBody(request)) throw new Refusal('method', 400, `${method} has no body.`);
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return {
    request,
    response,
    method,
    path,
    authority,
    owner: addresses.ofRequest(request),
    signal: gone.signal,
  };
}

function hasBody({ headers }: Request): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** Ends an answer that its reader does not take: what waits to be sent is memory. */
function watchAnswer(response: Response, { limits, metrics, watch }: GuardOptions): void {
  let waiting = 0;
  let sinceMs = 0;
  const watched = {
    look: (nowMs: number): void => {
      const left = unsent(response);
      if (left === 0 || left !== waiting) {
        waiting = left;
        sinceMs = nowMs;
        return;
      }
      if (nowMs - sinceMs < limits.answerStalledMs) return;
      metrics.cut.inc({ reason: 'answerStalledMs' });
      cutAnswer(response);
    },
  };
  watch.add(watched);
  response.once('close', () => watch.delete(watched));
}

/** Bytes that the reader has not taken; of HTTP/2 those of the stream. */
function unsent(response: Response): number {
  const stream = streamOf(response);
  if (stream !== undefined) return stream.destroyed ? 0 : stream.writableLength;
  return response.writableLength;
}
