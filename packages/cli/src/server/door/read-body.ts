import type { Request, Response } from '../one-port.ts';
import type { DoorLimits } from './limits.ts';
import type { Lease, ReceiveBudget } from './receive-budget.ts';
import { Refusal } from './refusal.ts';
import type { Watch } from './watch.ts';

/** What is reserved for a body that does not say its size. */
const UNKNOWN_BYTES = 32 << 10;

export interface BodyOptions {
  readonly request: Request;
  readonly response: Response;
  readonly limitBytes: number;
  readonly owner: string;
  readonly budget: ReceiveBudget;
  readonly limits: DoorLimits;
  readonly watch: Watch;
  /** Aborted when the sender has gone. */
  readonly signal: AbortSignal;
}

export interface Body {
  readonly bytes: Uint8Array;
  readonly lease: Lease;
}

/**
 * Reads a whole body, when there is room for it. Whoever sends too much, too slowly or nothing is told so.
 * @throws Refusal
 */
export async function readBody(options: BodyOptions): Promise<Body> {
  const { request, response, limitBytes, owner, budget, signal } = options;
  const declared = declaredSize(request);
  if (declared !== undefined && declared > limitBytes) throw tooLarge(limitBytes);
  const expected = declared ?? Math.min(UNKNOWN_BYTES, limitBytes);
  const lease = await budget.take(
    owner,
    expected,
    Math.min(expected, options.limits.streamWindowBytes),
    signal,
  );
  try {
    if (request.headers.expect !== undefined) response.writeContinue();
    const bytes = await receive(options, lease, declared);
    lease.shrink(bytes.length);
    return { bytes, lease };
  } catch (error) {
    lease.release();
    throw error;
  }
}

function declaredSize({ headers }: Request): number | undefined {
  const text = headers['content-length'];
  if (text === undefined) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.MAX_SAFE_INTEGER;
}

async function receive(
  options: BodyOptions,
  lease: Lease,
  declared: number | undefined,
): Promise<Uint8Array> {
  const { request, limitBytes, budget, limits, watch } = options;
  // A body that says its size is written where it will lie.
  const whole = declared === undefined ? undefined : Buffer.allocUnsafe(declared);
  const parts: Buffer[] = [];
  let size = 0;
  const startedMs = Date.now();
  let lastMs = startedMs;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const take = (part: Buffer): void => {
    lastMs = Date.now();
    if (size + part.length > limitBytes) return reject(tooLarge(limitBytes));
    if (!lease.cover(size + part.length)) return reject(budget.refusal());
    if (whole === undefined) parts.push(part);
    else if (size + part.length <= whole.length) part.copy(whole, size);
    size += part.length;
  };
  const gone = (): void => reject(new Refusal('protocol', 400, 'The body ended before its end.'));
  const end = (): void => (request.complete ? resolve() : gone());
  const watched = {
    look: (nowMs: number): void => {
      const reason = tooSlow(limits, nowMs - startedMs, nowMs - lastMs, size);
      if (reason !== undefined) {
        reject(new Refusal(reason, 408, 'The body of the request comes too slowly: send it again.'));
      }
    },
  };
  watch.add(watched);
  request.on('data', take).once('end', end).once('error', gone).once('close', gone).once('aborted', gone);
  try {
    await promise;
  } finally {
    watch.delete(watched);
    request.off('data', take).off('end', end).off('error', gone).off('close', gone).off('aborted', gone);
    // What may still come is not read by anybody.
    if (!request.readableEnded) request.pause();
  }
  if (whole === undefined)
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, size);
  if (size !== whole.length)
    throw new Refusal('protocol', 400, 'The body is not as long as its header says.');
  return whole;
}

function tooSlow(
  limits: DoorLimits,
  runsMs: number,
  silentMs: number,
  bytes: number,
): 'bodySilentMs' | 'bodyBytesPerSecond' | 'requestMs' | undefined {
  if (silentMs > limits.bodySilentMs) return 'bodySilentMs';
  if (runsMs > limits.requestMs) return 'requestMs';
  const isSlow = runsMs > limits.headersMs && bytes / (runsMs / 1000) < limits.bodyBytesPerSecond;
  return isSlow ? 'bodyBytesPerSecond' : undefined;
}

function tooLarge(limitBytes: number): Refusal {
  return new Refusal(
    'messageBytes',
    400,
    `The request has more than ${limitBytes} bytes, which is the limit: send less at once.`,
  );
}
