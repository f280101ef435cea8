/**
 * From a request to an RPC. Connect's own adapter reads whatever comes, inflates it and parses it before any code of
 * ours runs, and says "internal" where the sender was wrong. Here a request has to pass, in this order:
 *
 *   method ─▶ content type ─▶ who may ─▶ budget ─▶ body ─▶ gzip ─▶ fields counted ─▶ Connect (plain bytes)
 *
 * All methods are unary: one message in, one out, whether by Connect, gRPC or gRPC-web.
 */
import type { DescMessage } from '@bufbuild/protobuf';
import {
  createConnectRouter,
  createContextValues,
  type ConnectRouter,
  type ConnectRouterOptions,
} from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { IngestLimits } from '@fleetflame/ingest';
import { AnswerSlot } from '@fleetflame/query';
import type { Request } from '../one-port.ts';
import { checkBinary, checkJson } from './check-message.ts';
import { ANSWER_SLOT, answerBody, type AnswerBody } from './encoded-answer.ts';
import { openEnvelope, wrapEnvelope } from './envelope.ts';
import { ALLOW, type DoorHandler, type Visit } from './guard.ts';
import { claimedSize, inflate } from './inflate.ts';
import type { DoorLimits } from './limits.ts';
import { methodRule, type MethodRule } from './method-rules.ts';
import { readBody } from './read-body.ts';
import type { Lease, ReceiveBudget } from './receive-budget.ts';
import { overloaded, Refusal } from './refusal.ts';
import { SENDER_ADDRESS } from './sender-address.ts';
import type { Turns } from './turns.ts';
import type { Watch } from './watch.ts';

export interface RpcDoorOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly router: ConnectRouterOptions;
  readonly limits: DoorLimits;
  readonly ingestLimits?: Partial<IngestLimits>;
  readonly received: ReceiveBudget;
  readonly inflated: ReceiveBudget;
  readonly watch: Watch;
  readonly turns: Turns;
  /** The port is open to this machine alone. */
  readonly isLoopback: boolean;
}

interface Rpc {
  readonly handler: UniversalHandler;
  readonly rule: MethodRule;
  /** Calls that are worked on. */
  running: number;
}

const GRPC = /^application\/grpc(?:-web)?(?:\+(?:proto|json))?$/;
const ENVELOPED = /^application\/(?:grpc(?:-web)?(?:\+(?:proto|json))?|connect\+(?:proto|json))$/;
const TAKEN = /^application\/(?:json|proto|connect\+(?:proto|json)|grpc(?:-web)?(?:\+(?:proto|json))?)$/;
/** Base64 and names of fields. */
const JSON_GROWTH = 1.5;

/** Answers RPCs; everything else goes to `next`. */
export function rpcDoor(options: RpcDoorOptions, next: DoorHandler): DoorHandler {
  const { limits, ingestLimits } = options;
  const router = createConnectRouter(options.router);
  options.routes(router);
  const rpcs = new Map<string, Rpc>(
    router.handlers.map((handler) => {
      const name = handler.requestPath.slice(1);
      return [handler.requestPath, { handler, rule: methodRule(name, limits, ingestLimits), running: 0 }];
    }),
  );
  return async (visit) => {
    const rpc = rpcs.get(visit.path);
    if (rpc === undefined) {
      await next(visit);
      return;
    }
    if (visit.method !== 'POST') {
      throw new Refusal('method', 405, 'An RPC is sent by POST.', { allow: ALLOW });
    }
    const type = contentType(visit.request);
    if (rpc.rule.isLocalOnly) checkLocal(visit.request, options.isLoopback);
    if (rpc.running >= rpc.rule.atOnce) {
      // Hundreds may come at once, and a refusal costs a third of a millisecond.
      await options.turns.take();
      throw overloaded('callsAtOnce', `${rpc.running} such calls are being worked on, which is the limit`);
    }
    rpc.running++;
    try {
      await call(visit, rpc, type, options);
    } finally {
      rpc.running--;
    }
  };
}

/** Types that no form of a page elsewhere can send without asking first. */
function contentType({ headers }: Request): string {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (TAKEN.test(type)) return type;
  throw new Refusal(
    'content_type',
    415,
    'An RPC is sent as application/json, application/proto, application/grpc or application/grpc-web.',
    { 'accept-post': 'application/json, application/proto, application/grpc, application/grpc-web' },
  );
}

function checkLocal({ headers }: Request, isLoopback: boolean): void {
  const forwarded = Object.keys(headers).find((name) =>
    /^(?:forwarded|x-forwarded-.*|x-real-ip|via)$/.test(name),
  );
  if (isLoopback && forwarded === undefined) return;
  const why = isLoopback ? `it was forwarded (${forwarded})` : 'this one listens to others too';
  throw new Refusal(
    'local_only',
    403,
    `What cannot be undone is answered only by a server that listens on loopback, to who is on the same machine: ${why}. ` +
      'Ask a process of this store that is started with --listen 127.0.0.1:PORT.',
  );
}

async function call(
  visit: Visit,
  { handler, rule }: Rpc,
  type: string,
  options: RpcDoorOptions,
): Promise<void> {
  const { request, response, owner, signal } = visit;
  const { limits, watch, turns } = options;
  const isJson = type.endsWith('json');
  const limit = isJson
    ? Math.min(Math.ceil(rule.messageBytes * JSON_GROWTH), limits.jsonBytes)
    : rule.messageBytes;
  const isEnveloped = ENVELOPED.test(type);
  const { bytes: sent, lease } = await readBody({
    request,
    response,
    // The flag and length before a message.
    limitBytes: isEnveloped ? limit + 5 : limit,
    owner,
    budget: options.received,
    limits,
    watch,
    signal,
  });
  const leases: Lease[] = [lease];
  try {
    const encoding = encodingOf(request, type);
    const envelope = isEnveloped ? openEnvelope(sent) : { isCompressed: encoding === 'gzip', message: sent };
    let { message } = envelope;
    if (envelope.isCompressed) {
      if (encoding !== 'gzip')
        throw new Refusal('encoding', 415, 'The message is compressed, and no header says how.');
      const room = Math.min(limit, Math.max(1024, claimedSize(message)));
      const inflated = await options.inflated.take(owner, room, message.length, signal);
      leases.push(inflated);
      message = await inflate(message, limit, inflated, () => options.inflated.refusal());
    }
    await turns.take();
    check(message, handler.method.input, isJson, rule.fields);
    const slot = new AnswerSlot(isJson ? 'json' : 'proto');
    const answer = await handler({
      httpVersion: request.httpVersion,
      method: 'POST',
      url: `http://localhost${visit.path}`,
      header: plainHeaders(request),
      body: once(isEnveloped ? wrapEnvelope(message) : message),
      signal,
      contextValues: createContextValues().set(SENDER_ADDRESS, owner).set(ANSWER_SLOT, slot),
    });
    const accepted = textOf(request.headers[encodingHeaders(type).accepted]);
    await send(answer, await answerBody(answer, slot, isEnveloped, accepted), visit);
  } finally {
    for (const one of leases) one.release();
  }
}

/** What the body, or each message in it, is compressed with; undefined: nothing. */
function encodingOf({ headers }: Request, type: string): 'gzip' | undefined {
  const encoding = textOf(headers[encodingHeaders(type).sent]).trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return undefined;
  if (encoding === 'gzip') return 'gzip';
  throw new Refusal('encoding', 415, 'A body may be compressed with gzip, or not at all.', {
    'accept-encoding': 'gzip',
  });
}

/** The headers that name what a body is compressed with, and with what the answer's may be. */
function encodingHeaders(type: string): { readonly sent: string; readonly accepted: string } {
  if (GRPC.test(type)) return { sent: 'grpc-encoding', accepted: 'grpc-accept-encoding' };
  if (type.startsWith('application/connect+'))
    return { sent: 'connect-content-encoding', accepted: 'connect-accept-encoding' };
  return { sent: 'content-encoding', accepted: 'accept-encoding' };
}

function textOf(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value ?? []).join(',');
}

function check(message: Uint8Array, type: DescMessage, isJson: boolean, fields: number): void {
  if (!isJson) checkBinary(message, type, fields);
  else checkJson(Buffer.from(message.buffer, message.byteOffset, message.length), fields);
}

/** Those of the request without what was dealt with here. */
function plainHeaders({ headers }: Request): Headers {
  const plain = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':') || DEALT_WITH.has(name)) continue;
    plain.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return plain;
}

const DEALT_WITH: ReadonlySet<string> = new Set([
  'content-encoding',
  'grpc-encoding',
  'connect-content-encoding',
  'content-length',
  'transfer-encoding',
  'expect',
]);

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function send(
  answer: UniversalServerResponse,
  { header, parts }: AnswerBody,
  { response, signal }: Visit,
): Promise<void> {
  if (signal.aborted) return;
  for (const [name, value] of header) response.setHeader(name, value);
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-store');
  response.writeHead(answer.status);
  for (const part of parts) response.write(part);
  if (answer.trailer !== undefined) response.addTrailers(Object.fromEntries(answer.trailer));
  response.end();
}
