import { Code } from '@connectrpc/connect';

/** Why the door turned a request away: the names of limits, and what no limit is about. */
export type RefusalReason =
  | 'addressShare'
  | 'connections'
  | 'bodySilentMs'
  | 'bodyBytesPerSecond'
  | 'requestMs'
  | 'answerStalledMs'
  | 'headers'
  | 'receivingBytes'
  | 'inflatedBytes'
  | 'waitingBytes'
  | 'waitMs'
  | 'messageBytes'
  | 'jsonBytes'
  | 'messageFields'
  | 'callsAtOnce'
  | 'firstBytesMs'
  /** No HTTP, or a part of it that cannot be. */
  | 'protocol'
  | 'target'
  | 'method'
  | 'host'
  | 'origin'
  | 'content_type'
  | 'encoding'
  | 'message'
  | 'local_only';

/** A request that is not let in: what the answer says. Not a fault of the server, and never logged as one. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: RefusalReason;
  readonly status: number;
  /** What a client of an RPC is told. */
  readonly code: Code;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    reason: RefusalReason,
    status: number,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.reason = reason;
    this.status = status;
    this.code = LIMITS_OF_SIZE.has(reason) ? Code.OutOfRange : (CODES.get(status) ?? Code.InvalidArgument);
    this.headers = headers;
  }
}

/** Sizes: sent again, it would be refused again. By Connect out_of_range is a 400. */
const LIMITS_OF_SIZE: ReadonlySet<RefusalReason> = new Set(['messageBytes', 'messageFields', 'jsonBytes']);

/**
 * An agent sets a batch aside when it is told that the batch is wrong (invalid_argument, out_of_range). What says
 * that the way is wrong, or that there is no room now, is tried again.
 */
const CODES: ReadonlyMap<number, Code> = new Map([
  [403, Code.PermissionDenied],
  [404, Code.Unimplemented],
  [405, Code.Unimplemented],
  [408, Code.DeadlineExceeded],
  [413, Code.OutOfRange],
  [415, Code.Unimplemented],
  [421, Code.PermissionDenied],
  [429, Code.ResourceExhausted],
  [431, Code.OutOfRange],
  [503, Code.Unavailable],
]);

/** Comes again later: the sender did nothing wrong. */
export function overloaded(reason: RefusalReason, what: string): Refusal {
  return new Refusal(reason, 429, `${what}: try again in a few seconds.`, { 'retry-after': '2' });
}
