/**
 * Collects batches into a segment, writes it, and answers every batch in it.
 *
 *            add                  a second passed,            committed
 *   batch ───────▶ open segment ───────────────────▶ writing ──────────▶ acked
 *                                 or enough bytes       │
 *                                                       └─ not stored ──▶ refused, may be sent again
 *
 * While one segment is written the next one collects; it is written when both its time has come and
 * the one before is done. Nothing is acked before its row is committed (I1), and a batch that the
 * catalog has already is left out and acked as what it is, a repeat (I2), or refused as a conflict when
 * its number is taken by another content.
 */
import { FleetflameError } from '@fleetflame/profile';
import type { BatchId, CommitResult, EncodedBlock } from '@fleetflame/store';
import type { Logger } from 'pino';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { IngestLimits, RefusalReason } from './limits.ts';
import type { SealedBatches } from './worker/messages.ts';

/** Batches of different days are written as different objects: a block covers 49 days at most. */
const DAY_MS = 86_400_000;
const NONE_KNOWN = { duplicates: [], conflicts: [] };

export interface SegmentSink {
  commitSegment(segment: {
    readonly block: EncodedBlock;
    readonly batches: readonly BatchId[];
    readonly acceptedMs: number;
  }): Promise<CommitResult>;
}

/** Who holds the batches' samples: a worker thread. */
export interface SegmentSealer {
  seal(batches: readonly number[]): Promise<SealedBatches>;
  forget(batches: readonly number[]): void;
}

export interface SegmentWriterOptions {
  readonly sealer: SegmentSealer;
  readonly sink: SegmentSink;
  readonly limits: IngestLimits;
  readonly metrics: IngestMetrics;
  readonly log: Logger;
}

export interface Ack {
  /** The batch had been committed before it was added. */
  readonly duplicate: boolean;
}

/** A batch that was decoded and found good. */
export interface SegmentBatch {
  readonly id: BatchId;
  /** The sealer's number of it. */
  readonly number: number;
  readonly sentBytes: number;
  readonly memoryBytes: number;
  readonly timeStartMs: number;
  /** When it was found young enough. */
  readonly acceptedMs: number;
  /** The sealer wants the segment written. */
  readonly full: boolean;
}

interface PendingBatch extends SegmentBatch {
  readonly ack: PromiseWithResolvers<Ack>;
}

export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  /** Batches of the open segment and of those being written. */
  readonly #pending = new Set<PendingBatch>();
  #pendingBytes = 0;
  #open: PendingBatch[] = [];
  #openBytes = 0;
  #openSentBytes = 0;
  #idle: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  /** The open segment's time has come. */
  #due = false;
  #closed = false;

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
  }

  get pending(): { readonly batches: number; readonly bytes: number } {
    return { batches: this.#pending.size, bytes: this.#pendingBytes };
  }

  /** Resolves when the batch is durable. Throws unavailable when the writer is closed. */
  add(taken: SegmentBatch): Promise<Ack> {
    const { limits } = this.#options;
    if (this.#closed) throw this.#options.metrics.refuse('stopping', stopping());
    const batch = { ...taken, ack: Promise.withResolvers<Ack>() };
    this.#pending.add(batch);
    this.#pendingBytes += batch.memoryBytes;
    this.#open.push(batch);
    this.#openBytes += batch.memoryBytes;
    this.#openSentBytes += batch.sentBytes;
    const isFull =
      batch.full || this.#openBytes >= limits.segmentBytes || this.#openSentBytes >= limits.segmentSentBytes;
    if (isFull) this.#closeSegment();
    else {
      this.#timer ??= setTimeout(() => this.#closeSegment(), limits.segmentMs);
      this.#closeWhenIdle();
    }
    return batch.ack.promise;
  }

  /** The sealer has lost what it held: what is open cannot be written any more. */
  lost(): void {
    const batches = this.#open;
    this.#reset();
    const error = new FleetflameError('unavailable', 'The thread that held the batch ended.');
    for (const batch of batches) this.#fail(batch, notStored(error));
  }

  /** Enough for an object of its own and nothing more comes: its senders wait for the answers. */
  #closeWhenIdle(): void {
    const { segmentIdleMs, segmentIdleBytes } = this.#options.limits;
    clearTimeout(this.#idle);
    if (this.#openSentBytes < segmentIdleBytes) return;
    this.#idle = setTimeout(() => this.#closeSegment(), segmentIdleMs);
  }

  #reset(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#idle);
    this.#timer = undefined;
    this.#open = [];
    this.#openBytes = 0;
    this.#openSentBytes = 0;
    this.#due = false;
  }

  /** Writes what is open and resolves when nothing is on its way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#closeSegment();
    while (this.#writing !== undefined) await this.#writing;
  }

  #closeSegment(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = true;
    if (this.#writing !== undefined || this.#open.length === 0) return;
    const batches = this.#open;
    this.#reset();
    this.#writing = this.#write(batches).finally(() => {
      this.#writing = undefined;
      if (this.#due) this.#closeSegment();
    });
  }

  async #write(batches: readonly PendingBatch[]): Promise<void> {
    const end = this.#options.metrics.segmentSeconds.startTimer();
    const byDay = Map.groupBy(batches, (batch) => Math.floor(batch.timeStartMs / DAY_MS));
    for (const group of byDay.values()) await this.#writeGroup(group);
    end();
  }

  /** Never throws: every batch is answered. */
  async #writeGroup(batches: readonly PendingBatch[]): Promise<void> {
    const { metrics, log, sealer, sink } = this.#options;
    let left = batches;
    while (left.length > 0) {
      let result: CommitResult;
      try {
        const sealed = await sealer.seal(left.map((batch) => batch.number));
        metrics.mergeSeconds.observe(sealed.mergeSeconds);
        metrics.encodeSeconds.observe(sealed.encodeSeconds);
        result = await sink.commitSegment({
          block: sealed,
          batches: left.map((batch) => batch.id),
          acceptedMs: left.reduce((oldest, batch) => Math.min(oldest, batch.acceptedMs), Infinity),
        });
      } catch (error) {
        if (isAboutTheData(error) && left.length > 1) {
          // Together they exceed a limit of the format, or one of them is to blame: halve until it shows.
          const middle = left.length >> 1;
          await this.#writeGroup(left.slice(0, middle));
          await this.#writeGroup(left.slice(middle));
          return;
        }
        metrics.segments.inc({ outcome: 'failed' });
        log.error({ err: error, batches: left.length }, 'a segment was not stored');
        for (const batch of left) this.#fail(batch, notStored(error));
        return;
      }
      const { duplicates, conflicts } = result.committed ? NONE_KNOWN : result;
      const repeated = new Set(duplicates.map(batchKey));
      const taken = new Set(conflicts.map(batchKey));
      metrics.segments.inc({ outcome: result.committed ? 'committed' : 'rebuilt' });
      const rest: PendingBatch[] = [];
      for (const batch of left) {
        if (result.committed) this.#answer(batch, { duplicate: false });
        else if (repeated.has(batchKey(batch.id))) this.#answer(batch, { duplicate: true });
        else if (taken.has(batchKey(batch.id))) this.#fail(batch, conflict(batch.id), 'conflict');
        else rest.push(batch);
      }
      if (rest.length === left.length) {
        const error = new FleetflameError('unavailable', 'The catalog named no batch of the segment.');
        for (const batch of left) this.#fail(batch, notStored(error));
        return;
      }
      left = rest;
    }
  }

  #answer(batch: PendingBatch, ack: Ack): void {
    this.#forget(batch);
    batch.ack.resolve(ack);
  }

  #fail(batch: PendingBatch, error: FleetflameError, reason: RefusalReason = 'not_stored'): void {
    this.#forget(batch);
    batch.ack.reject(this.#options.metrics.refuse(reason, error));
  }

  #forget(batch: PendingBatch): void {
    this.#pending.delete(batch);
    this.#pendingBytes -= batch.memoryBytes;
    this.#options.sealer.forget([batch.number]);
  }
}

export function conflict({ agentId, seq }: BatchId): FleetflameError {
  const [name, remedy] = agentId.startsWith('push/')
    ? ['push_id', 'choose another push_id']
    : [`number ${seq} of this agent_id`, 'send it under a new agent_id'];
  return new FleetflameError('conflict', `Another content is stored under ${name}: ${remedy}.`, {
    field: name === 'push_id' ? 'push_id' : 'seq',
  });
}

export function batchKey(id: BatchId): string {
  return `${id.seq}/${id.agentId}`;
}

function isAboutTheData(error: unknown): boolean {
  return (
    error instanceof FleetflameError && (error.code === 'limit_exceeded' || error.code === 'invalid_input')
  );
}

function notStored(error: unknown): FleetflameError {
  if (isAboutTheData(error) && error instanceof FleetflameError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new FleetflameError('unavailable', `The batch is not stored; send it again. ${detail}`, {
    cause: error,
  });
}

function stopping(): FleetflameError {
  return new FleetflameError('unavailable', 'The server is stopping: send the batch again to the next one.');
}
