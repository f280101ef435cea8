import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, type Client } from '@connectrpc/connect';
import type { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import type { Logger } from 'pino';
import type { Spool, SpooledBatch } from '../spool/spool.ts';
import type { SpoolContents } from '../spool/spool-file.ts';
import { backoffMs } from './backoff.ts';

/** A server that does not answer a batch in this time is taken for gone. It acks after a segment, about 1 s. */
const WRITE_TIMEOUT_MS = 30_000;

/** These speak of the batch: sent again, it would be refused again. */
const REFUSALS: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.OutOfRange,
  Code.DataLoss,
  Code.FailedPrecondition,
  Code.AlreadyExists,
]);

/**
 * These may be the batch's fault or the server's: after so many such answers the batch gives way to the next.
 * All others (unavailable, unauthenticated, a wrong URL, …) speak of the server or the way to it, and the batch
 * waits as long as the spool has room.
 */
const SUSPECT: ReadonlySet<Code> = new Set([Code.Internal, Code.Unknown]);
export const MAX_SUSPECT_ANSWERS = 20;

/**
 * What a host sends at most while it catches up: eight times the live stream of a large host, and a full
 * spool of 256 MiB in 17 minutes. A fleet that comes back at once is spread by it, not only refused.
 */
export const CATCH_UP_BYTES_PER_S = 256 << 10;

export interface SenderCounters {
  sent: number;
  sentBytes: number;
  /** Acked as known already: the ack of an earlier attempt was lost. */
  duplicates: number;
  /** By Connect code. */
  errors: Map<string, number>;
  lastError: string;
  lastAckMs: number;
}

/** Delivers the spool, oldest batch first, one at a time, until it is stopped. */
export class Sender {
  readonly counters: SenderCounters = {
    sent: 0,
    sentBytes: 0,
    duplicates: 0,
    errors: new Map(),
    lastError: '',
    lastAckMs: 0,
  };
  readonly #spool: Spool;
  readonly #client: Client<typeof IngestService>;
  readonly #log: Logger;
  readonly #onLatency: (seconds: number) => void;
  readonly #backoffMs: (attempt: number) => number;
  #stopping = false;
  /** Such answers to the oldest batch. An outage before them is not the batch's fault. */
  #suspect = 0;
  readonly #abort = new AbortController();
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: {
    readonly spool: Spool;
    readonly client: Client<typeof IngestService>;
    readonly log: Logger;
    /** Told of every ack: seconds from the call to the answer. */
    readonly onLatency?: (seconds: number) => void;
    /** Wait before retry n, from 1. Default: backoffMs. */
    readonly backoffMs?: (attempt: number) => number;
  }) {
    this.#spool = options.spool;
    this.#client = options.client;
    this.#log = options.log;
    this.#onLatency = options.onLatency ?? (() => undefined);
    this.#backoffMs = options.backoffMs ?? ((attempt) => backoffMs(attempt));
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** There may be something new in the spool. */
  notify(): void {
    this.#wake?.();
  }

  /** Tries once more to deliver what is spooled, for at most withinMs; what is not delivered stays spooled. */
  async stop(withinMs: number): Promise<void> {
    this.#stopping = true;
    this.notify();
    const timer = setTimeout(() => this.#abort.abort(), withinMs);
    await this.#running;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    let attempt = 0;
    while (!this.#abort.signal.aborted) {
      const batch = this.#spool.oldest();
      if (batch === undefined) {
        attempt = 0;
        if (this.#stopping) return;
        await this.#pause(undefined);
        continue;
      }
      const startedMs = performance.now();
      const done = await this.#tryDeliver(batch, attempt);
      attempt = done ? 0 : attempt + 1;
      if (done) this.#suspect = 0;
      const earlyMs = (batch.sizeBytes / CATCH_UP_BYTES_PER_S) * 1000 - (performance.now() - startedMs);
      if (done && this.#spool.length > 0 && earlyMs > 0) await this.#pause(earlyMs);
      // A failure while stopping: the next start will try again.
      if (!done && this.#stopping) return;
      if (!done) await this.#pause(this.#backoffMs(attempt));
    }
  }

  /** True when the batch is off the spool. A failing disk is as a failing server: tried again. */
  async #tryDeliver(batch: SpooledBatch, attempt: number): Promise<boolean> {
    try {
      return await this.#deliver(batch, attempt);
    } catch (error) {
      this.counters.lastError = error instanceof Error ? error.message : String(error);
      this.#log.error({ err: error, file: batch.name }, 'the spool fails');
      return false;
    }
  }

  async #deliver(batch: SpooledBatch, attempt: number): Promise<boolean> {
    const contents = await this.#spool.read(batch);
    if (contents === undefined || (await this.#spool.giveUpIfOld(batch, contents, Date.now()))) return true;
    const startedAt = performance.now();
    try {
      const { duplicate } = await this.#client.write(
        { agentId: batch.key.agentId, seq: batch.key.seq, block: contents.payload },
        { timeoutMs: WRITE_TIMEOUT_MS, signal: this.#abort.signal },
      );
      this.#onLatency((performance.now() - startedAt) / 1000);
      this.counters.sent++;
      this.counters.sentBytes += contents.payload.length;
      this.counters.lastAckMs = Date.now();
      if (duplicate) this.counters.duplicates++;
      if (attempt > 0) this.#log.info({ attempts: attempt + 1 }, 'the server takes batches again');
    } catch (error) {
      return this.#failed(batch, contents, attempt, ConnectError.from(error));
    }
    await this.#spool.delete(batch);
    return true;
  }

  async #failed(
    batch: SpooledBatch,
    contents: SpoolContents,
    attempt: number,
    error: ConnectError,
  ): Promise<boolean> {
    const code = Code[error.code];
    this.counters.errors.set(code, (this.counters.errors.get(code) ?? 0) + 1);
    this.counters.lastError = error.message;
    if (isSuspect(error)) this.#suspect++;
    const refused = REFUSALS.has(error.code) || this.#suspect >= MAX_SUSPECT_ANSWERS;
    if (refused) {
      this.#log.error(
        { file: batch.name, code, reason: error.rawMessage, samples: contents.samples },
        'the server refuses a batch: it is set aside',
      );
      await this.#spool.refuse(batch, contents.samples);
      return true;
    }
    const level = attempt === 0 ? 'warn' : 'debug';
    this.#log[level](
      { file: batch.name, code, reason: error.rawMessage, attempt, spooled: this.#spool.length },
      'a batch cannot be delivered now: it stays in the spool',
    );
    return false;
  }

  /** Waits until notified, or for that long. A retry is not hurried by new batches. */
  async #pause(ms: number | undefined): Promise<void> {
    if (this.#stopping) return;
    const woken = new Promise<void>((resolve) => {
      this.#wake = () => {
        if (ms === undefined || this.#stopping) resolve();
      };
    });
    const timer = new AbortController();
    await (ms === undefined
      ? woken
      : Promise.race([
          woken,
          sleep(ms, undefined, { signal: timer.signal, ref: false }).catch(() => undefined),
        ]));
    timer.abort();
    this.#wake = undefined;
  }
}

/** An answer that speaks of a failure. One with a cause is no answer: this end of the connection failed. */
function isSuspect({ code, cause }: ConnectError): boolean {
  return SUSPECT.has(code) && cause === undefined;
}
