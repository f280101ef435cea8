import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, type Client } from '@connectrpc/connect';
import type { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import type { Logger } from 'pino';
import type { Spool, SpooledBatch } from '../spool/spool.ts';
import type { SpoolContents } from '../spool/spool-file.ts';
import type { AgentIdentity } from './agent-identity.ts';
import { backoffMs } from './backoff.ts';
import { Postponed } from './postponed.ts';
import { refusalOf } from './refusal.ts';

/** A server that does not answer a batch in this time is taken for gone. It acks after a segment, about 1 s. */
const WRITE_TIMEOUT_MS = 30_000;

/** After so many answers that may be a batch's fault or the server's, the batch gives way to the next. */
export const MAX_SUSPECT_ANSWERS = 20;
/** A batch may be damaged on its way, or reach a server that is wrong: it is refused for good by so many answers. */
export const FINAL_ANSWERS = 2;

/** Fresh numbers are random: a server that finds so many taken in a row is to be waited for. */
const MAX_RENUMBERED = 3;

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
  /** Sent under fresh numbers, since theirs were taken by something else. */
  renumbered: number;
  /** Times that a batch had to let others go first. */
  postponed: number;
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
    renumbered: 0,
    postponed: 0,
    errors: new Map(),
    lastError: '',
    lastAckMs: 0,
  };
  readonly #spool: Spool;
  readonly #identity: AgentIdentity;
  readonly #cpusOf: (createdMs: number) => number;
  readonly #client: Client<typeof IngestService>;
  readonly #log: Logger;
  readonly #onLatency: (seconds: number) => void;
  readonly #backoffMs: (attempt: number) => number;
  #stopping = false;
  /** Such answers to the oldest batch. An outage before them is not the batch's fault. */
  #suspect = 0;
  /** Answers to the oldest batch that it is wrong. */
  #finals = 0;
  /** Times in a row that the oldest batch got other numbers. */
  #renumbered = 0;
  readonly #postponed = new Postponed();
  readonly #abort = new AbortController();
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: {
    readonly spool: Spool;
    /** Numbers for batches whose own are taken. */
    readonly identity: AgentIdentity;
    /** CPUs that a batch was sampled on, by its creation; 0: not known. Default: not known. */
    readonly cpusOf?: (createdMs: number) => number;
    readonly client: Client<typeof IngestService>;
    readonly log: Logger;
    /** Told of every ack: seconds from the call to the answer. */
    readonly onLatency?: (seconds: number) => void;
    /** Wait before retry n, from 1. Default: backoffMs. */
    readonly backoffMs?: (attempt: number) => number;
  }) {
    this.#spool = options.spool;
    this.#identity = options.identity;
    this.#cpusOf = options.cpusOf ?? (() => 0);
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
      const now = performance.now();
      const batch = this.#spool.next((name) => !this.#postponed.isWaiting(name, now));
      if (batch === undefined) {
        attempt = 0;
        if (this.#stopping) return;
        await this.#pause(
          this.#postponed.nextMs(now, (name) => this.#spool.has(name)),
          true,
        );
        continue;
      }
      const startedMs = performance.now();
      const done = await this.#tryDeliver(batch, attempt);
      attempt = done ? 0 : attempt + 1;
      if (done) this.#suspect = this.#renumbered = this.#finals = 0;
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
        {
          agentId: batch.key.agentId,
          seq: batch.key.seq,
          block: contents.payload,
          cpus: this.#cpusOf(contents.createdMs),
        },
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
    this.#postponed.forget(batch.name);
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
    const refusal = refusalOf(error);
    const about = { file: batch.name, code, reason: error.rawMessage, samples: contents.samples };
    if (refusal === 'final' && ++this.#finals >= FINAL_ANSWERS) {
      this.#log.error(about, 'the server refuses a batch: it is set aside');
      this.#postponed.forget(batch.name);
      await this.#spool.refuse(batch, contents.samples);
      return true;
    }
    if (refusal === 'conflict' && this.#renumbered < MAX_RENUMBERED) {
      this.#renumbered++;
      this.#identity.renew(batch.key.agentId, Date.now());
      // On disk before it is sent: after a crash it must not go out under a third name.
      await this.#spool.rename(batch, this.#identity.nextKey());
      this.#postponed.forget(batch.name);
      this.counters.renumbered++;
      this.#log.warn(about, 'the number of a batch is taken by something else: it is sent under a fresh id');
      return false;
    }
    if (refusal === 'suspect') this.#suspect++;
    if (refusal === 'not_now' || this.#suspect >= MAX_SUSPECT_ANSWERS) {
      this.#postponed.add(batch.name, performance.now());
      this.counters.postponed++;
      this.#log.warn(about, 'the server cannot take a batch now: it stays in the spool, and others go first');
      return true;
    }
    const level = attempt === 0 ? 'warn' : 'debug';
    this.#log[level](
      { file: batch.name, code, reason: error.rawMessage, attempt, spooled: this.#spool.length },
      'a batch cannot be delivered now: it stays in the spool',
    );
    return false;
  }

  /** Waits until notified, or for that long. A retry is not hurried by new batches, but with `hurried`. */
  async #pause(ms: number | undefined, hurried = false): Promise<void> {
    if (this.#stopping) return;
    const woken = new Promise<void>((resolve) => {
      this.#wake = () => {
        if (hurried || this.#stopping) resolve();
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
