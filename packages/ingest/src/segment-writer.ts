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
import { FleetflameError, mergeBlocks, type Block } from '@fleetflame/profile';
import { sameContent, type BatchId, type CommitResult } from '@fleetflame/store';
import type { Logger } from 'pino';
import { blockMemoryBytes } from './block-memory.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { IngestLimits, RefusalReason } from './limits.ts';

/** Batches of different days are written as different objects: a block covers 49 days at most. */
const DAY_MS = 86_400_000;
const NONE_KNOWN = { duplicates: [], conflicts: [] };

export interface SegmentSink {
  commitSegment(segment: {
    readonly block: Block;
    readonly batches: readonly BatchId[];
    readonly acceptedMs: number;
  }): Promise<CommitResult>;
}

export interface SegmentWriterOptions {
  readonly sink: SegmentSink;
  readonly limits: IngestLimits;
  readonly metrics: IngestMetrics;
  readonly log: Logger;
}

export interface Ack {
  /** The batch had been committed before it was added. */
  readonly duplicate: boolean;
}

interface PendingBatch {
  readonly id: BatchId;
  readonly block: Block;
  readonly memoryBytes: number;
  /** When it was found young enough. */
  readonly acceptedMs: number;
  readonly ack: PromiseWithResolvers<Ack>;
}

export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  /** Batches of the open segment and of those being written, by key. */
  readonly #pending = new Map<string, PendingBatch>();
  #pendingBytes = 0;
  #open: PendingBatch[] = [];
  #openBytes = 0;
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

  /**
   * The ack of a batch that is already on its way; undefined: it is not. With another content on its way under the
   * same number, what becomes of that decides.
   */
  find(id: BatchId): Promise<Ack> | undefined {
    const underway = this.#pending.get(batchKey(id));
    if (underway === undefined || sameContent(underway.id.content, id.content)) return underway?.ack.promise;
    return this.#refuseBehind(underway, id);
  }

  /**
   * It is a conflict only when the other one is stored. If it is not, this one may be, by a process that stands
   * still with an earlier attempt: to be told to take another number would count it twice.
   */
  async #refuseBehind({ ack }: PendingBatch, id: BatchId): Promise<Ack> {
    const { metrics } = this.#options;
    const isStored = await ack.promise.then(
      ({ duplicate }) => !duplicate,
      () => false,
    );
    if (isStored) throw metrics.refuse('conflict', conflict(id));
    throw metrics.refuse(
      'not_stored',
      new FleetflameError(
        'unavailable',
        'Another content under the same number was not stored: send it again.',
      ),
    );
  }

  /** Throws overloaded when `memoryBytes` more would exceed the budget, unavailable when it is closed. */
  admit(memoryBytes: number): void {
    const { limits, metrics } = this.#options;
    if (this.#closed) {
      throw metrics.refuse(
        'stopping',
        new FleetflameError('unavailable', 'The server is stopping: send the batch again to the next one.'),
      );
    }
    if (this.#pending.size >= limits.pendingBatches) {
      throw metrics.refuse('pendingBatches', overloaded(`${limits.pendingBatches} batches`));
    }
    if (this.#pendingBytes + memoryBytes > limits.pendingBytes && this.#pending.size > 0) {
      throw metrics.refuse('pendingBytes', overloaded(`${limits.pendingBytes} bytes`));
    }
  }

  /** Resolves when the batch is durable; the caller has asked `find` and been admitted. */
  add(id: BatchId, block: Block, acceptedMs: number): Promise<Ack> {
    const memoryBytes = blockMemoryBytes(block);
    this.admit(memoryBytes);
    const batch = { id, block, memoryBytes, acceptedMs, ack: Promise.withResolvers<Ack>() };
    this.#pending.set(batchKey(id), batch);
    this.#pendingBytes += memoryBytes;
    this.#open.push(batch);
    this.#openBytes += memoryBytes;
    if (this.#openBytes >= this.#options.limits.segmentBytes) this.#closeSegment();
    else this.#timer ??= setTimeout(() => this.#closeSegment(), this.#options.limits.segmentMs);
    return batch.ack.promise;
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
    this.#open = [];
    this.#openBytes = 0;
    this.#due = false;
    this.#writing = this.#write(batches).finally(() => {
      this.#writing = undefined;
      if (this.#due) this.#closeSegment();
    });
  }

  async #write(batches: readonly PendingBatch[]): Promise<void> {
    const end = this.#options.metrics.segmentSeconds.startTimer();
    const byDay = Map.groupBy(batches, (batch) => Math.floor(batch.block.timeStartMs / DAY_MS));
    for (const group of byDay.values()) await this.#writeGroup(group);
    end();
  }

  /** Never throws: every batch is answered. */
  async #writeGroup(batches: readonly PendingBatch[]): Promise<void> {
    const { metrics, log, sink } = this.#options;
    let left = batches;
    while (left.length > 0) {
      let result: CommitResult;
      try {
        const endMerge = metrics.mergeSeconds.startTimer();
        const block = mergeBlocks(left.map((batch) => batch.block));
        endMerge();
        result = await sink.commitSegment({
          block,
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
    this.#pending.delete(batchKey(batch.id));
    this.#pendingBytes -= batch.memoryBytes;
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

function overloaded(limit: string): FleetflameError {
  return new FleetflameError(
    'overloaded',
    `${limit} wait to be stored already, which is the limit: send the batch again later.`,
  );
}
