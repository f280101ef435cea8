/**
 * One call to object storage, whatever it takes within its time:
 *
 *   call ──▶ gate ──▶ attempt ───────────────▶ answer
 *                        │  └─ slow: a second one beside it, whoever answers first
 *                        └─ failed, may go away: a random wait, then the next attempt
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FleetflameError } from '@fleetflame/profile';
import type { ObjectOperation, RecordObjectEvent } from '../object-events.ts';
import { Hedging } from './hedging.ts';
import { RequestGate } from './request-gate.ts';
import type { S3ObjectStoreConfig } from './s3-config.ts';
import { describeFailure, s3Error, S3AnswerError, type S3Failure } from './s3-failure.ts';
import { S3_LIMITS, type S3Limits } from './s3-limits.ts';

/** Bytes that differ from those written are read so often: what went wrong on the way goes away, damage does not. */
const READS_OF_MISMATCH = 3;

export interface S3Call<T> {
  readonly operation: ObjectOperation;
  /** "Object x" or the like, the subject of an error's sentence. */
  readonly what: string;
  /** Of objects, as far as known before. */
  readonly sentBytes: number;
  readonly expectedBytes: number;
  /** Runs once per attempt, perhaps twice at once. Must end soon after `signal` is aborted. */
  send(signal: AbortSignal): Promise<S3Answer<T>>;
}

export interface S3Answer<T> {
  readonly value: T;
  readonly receivedBytes: number;
}

export class S3Requests {
  readonly limits: S3Limits;
  readonly #config: S3ObjectStoreConfig;
  readonly #record: RecordObjectEvent;
  readonly #gate: RequestGate;
  readonly #hedging: Hedging;

  constructor(config: S3ObjectStoreConfig, record: RecordObjectEvent) {
    this.limits = { ...S3_LIMITS, ...config.limits };
    this.#config = config;
    this.#record = record;
    this.#gate = new RequestGate(this.limits.running, this.limits.waiting);
    this.#hedging = new Hedging(this.limits);
  }

  /** The answer, or S3CallError with what became of the last attempt. */
  async run<T>(call: S3Call<T>): Promise<T> {
    const { limits } = this;
    const transferMs = (1000 * (call.sentBytes + call.expectedBytes)) / limits.bytesPerSecond;
    const started = performance.now();
    const deadline = started + limits.totalMs + transferMs;
    let mismatches = 0;
    for (let attempt = 1; ; attempt++) {
      let failure: S3Failure;
      let cause: unknown;
      try {
        return await this.#attempt(
          call,
          Math.min(limits.attemptMs + transferMs, deadline - performance.now()),
        );
      } catch (error) {
        if (error instanceof FleetflameError) throw error;
        failure = describeFailure(error, this.#config);
        cause = error;
      }
      if (failure.kind === 'mismatch') mismatches++;
      const again =
        failure.kind === 'retry' || (failure.kind === 'mismatch' && mismatches < READS_OF_MISMATCH);
      if (!again) throw new S3CallError(call.what, failure, this.#config, cause);
      const most = Math.min(limits.lastWaitMs, limits.firstWaitMs * 2 ** (attempt - 1));
      const waitMs = Math.max(failure.waitMs, Math.random() * most);
      if (attempt >= limits.attempts || performance.now() + waitMs >= deadline) {
        this.#record({ kind: 'refused', limit: 'totalMs' });
        const seconds = ((performance.now() - started) / 1000).toFixed(1);
        const detail = `${attempt} attempts in ${seconds} s failed; at the last one ${failure.detail}`;
        throw new S3CallError(call.what, { ...failure, detail }, this.#config, cause);
      }
      this.#record({ kind: 'retry', operation: call.operation, reason: failure.reason });
      await sleep(waitMs);
    }
  }

  /** One request, and perhaps a second beside it. */
  async #attempt<T>(call: S3Call<T>, timeoutMs: number): Promise<T> {
    const entered = await this.#gate.enter(Math.max(0, timeoutMs));
    if (entered === 'full') {
      this.#record({ kind: 'refused', limit: 'waiting' });
      throw new FleetflameError(
        'overloaded',
        `${call.what}: ${this.limits.waiting} requests to object storage wait already, which is the limit: try again later.`,
      );
    }
    if (entered === 'late') {
      throw new S3AnswerError(
        'retry',
        'queue',
        `no request could be sent within ${Math.round(timeoutMs)} ms`,
      );
    }
    const first = this.#request(call, timeoutMs);
    const delayMs = this.#hedging.delayMs(call.operation, call.sentBytes + call.expectedBytes);
    if (delayMs === undefined || delayMs >= timeoutMs) return await first.answer;
    if (!(await isSlow(first.answer, delayMs))) return await first.answer;
    if (!this.#hedging.spend() || !this.#gate.tryEnter()) return await first.answer;
    const second = this.#request(call, timeoutMs);
    try {
      const { value, winner } = await earlier(first.answer, second.answer, (error) => {
        const { kind } = describeFailure(error, this.#config);
        return kind === 'retry' || kind === 'mismatch';
      });
      this.#record({ kind: 'hedge', operation: call.operation, won: winner === 2 });
      return value;
    } finally {
      first.abort();
      second.abort();
    }
  }

  /** The caller has entered the gate. */
  #request<T>(call: S3Call<T>, timeoutMs: number): { readonly answer: Promise<T>; abort(): void } {
    const controller = new AbortController();
    const started = performance.now();
    const { operation, sentBytes, expectedBytes } = call;
    let timedOut = false;
    let finished = false;
    const timer = setTimeout(() => {
      timedOut = true;
      controller.abort();
    }, timeoutMs);
    const request = async (): Promise<T> => {
      let outcome = 'ok';
      let receivedBytes = 0;
      try {
        const answer = await call.send(controller.signal);
        receivedBytes = answer.receivedBytes;
        this.#hedging.answered(operation, sentBytes + expectedBytes, (performance.now() - started) / 1000);
        return answer.value;
      } catch (error) {
        if (timedOut) {
          outcome = 'timeout';
          throw new S3AnswerError(
            'retry',
            'timeout',
            `it has not answered within ${Math.round(timeoutMs)} ms`,
          );
        }
        outcome = controller.signal.aborted ? 'hedged' : describeFailure(error, this.#config).reason;
        throw error;
      } finally {
        clearTimeout(timer);
        finished = true;
        this.#gate.leave();
        const seconds = (performance.now() - started) / 1000;
        this.#record({ kind: 'request', operation, outcome, seconds, sentBytes, receivedBytes });
      }
    };
    const answer = request();
    // The slower of two is aborted and nobody waits for it.
    answer.catch(() => undefined);
    return {
      answer,
      abort: () => {
        if (!finished) controller.abort();
      },
    };
  }
}

/** A call that failed for good; `failure` for callers that know what to do, the rest for people. */
export class S3CallError extends FleetflameError {
  readonly failure: S3Failure;

  constructor(what: string, failure: S3Failure, config: S3ObjectStoreConfig, cause: unknown) {
    const { code, message, field } = s3Error(what, failure, config, cause);
    super(code, message, { cause, ...(field === undefined ? {} : { field }) });
    this.failure = failure;
  }
}

/** True when there is neither an answer nor an error within `delayMs`. */
async function isSlow(answer: Promise<unknown>, delayMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const slow = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), delayMs);
  });
  const settled = answer.then(
    () => false,
    () => false,
  );
  const result = await Promise.race([slow, settled]);
  clearTimeout(timer);
  return result;
}

/** The first answer, or the first error that the other request would not cure. */
async function earlier<T>(
  first: Promise<T>,
  second: Promise<T>,
  curable: (error: unknown) => boolean,
): Promise<{ readonly value: T; readonly winner: 1 | 2 }> {
  return await new Promise((resolve, reject) => {
    let failed = 0;
    const watch = (answer: Promise<T>, winner: 1 | 2): void => {
      answer.then(
        (value) => resolve({ value, winner }),
        (error: unknown) => {
          failed++;
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- what the request threw
          if (failed === 2 || !curable(error)) reject(error);
        },
      );
    };
    watch(first, 1);
    watch(second, 2);
  });
}
