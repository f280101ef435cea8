/**
 * The door of the store. This thread answers: it asks budgets, hands the bytes of a batch to a worker,
 * commits what workers sealed, and acks. Workers decode and check in full before a batch is let near
 * others; what is refused says why and where, and costs nobody else anything.
 */
import { create } from '@bufbuild/protobuf';
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import { FleetflameError, IMPORT_CHANGES, SERVICE_NAME } from '@fleetflame/profile';
import {
  ImportChangeSchema,
  IngestService,
  ProfileTypeTotalSchema,
  WritePprofResponseSchema,
  WriteProfileResponseSchema,
  WriteResponseSchema,
  type WritePprofRequest,
  type WritePprofResponse,
  type WriteProfileRequest,
  type WriteProfileResponse,
  type WriteRequest,
  type WriteResponse,
} from '@fleetflame/proto/ingest/v1/ingest';
import {
  ACCEPTED_FOR_MS,
  DEFAULT_TENANT,
  MAX_SEQ,
  sameContent,
  type BatchId,
  type Store,
} from '@fleetflame/store';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { checkId, checkSize, type BatchRules } from './check-batch.ts';
import { batchContent } from './content-hash.ts';
import { IngestLanes, type PlacedBatch } from './ingest-lanes.ts';
import { checkKind } from './check-kind.ts';
import { IngestMetrics } from './ingest-metrics.ts';
import { INGEST_LIMITS, type IngestLimits } from './limits.ts';
import { pushBatchId } from './profile-push.ts';
import { RecentBatches } from './recent-batches.ts';
import { batchKey, conflict, type Ack } from './segment-writer.ts';
import { TenantBudget, type SenderName } from './tenant-budget.ts';
import { WorkerRefusal } from './worker/ingest-thread.ts';
import type { BatchInput, TakenBatch } from './worker/messages.ts';

export interface IngestOptions {
  readonly store: Pick<Store, 'commitSegment' | 'retentionMs' | 'rememberBatchesMs' | 'now'>;
  readonly log: Logger;
  readonly registry: Registry;
  /** Overrides of INGEST_LIMITS. */
  readonly limits?: Partial<IngestLimits>;
  /** Where a request comes from; empty: not known. Default: not known. */
  readonly addressOf?: (context: HandlerContext) => string;
  /** Unix ms; default: the store's, one clock for all that ingest into it. */
  readonly now?: () => number;
}

export interface Ingest {
  /** Adds IngestService. */
  routes(router: ConnectRouter): void;
  /** Refuses new batches, writes those that wait, and resolves when all are answered. */
  close(): Promise<void>;
}

export function createIngest(options: IngestOptions): Ingest {
  const service = new IngestServer(options);
  const addressOf = options.addressOf ?? (() => '');
  return {
    routes: (router) => {
      router.service(IngestService, {
        write: (request, context) => service.write(request, addressOf(context)),
        writePprof: (request, context) => service.writePprof(request, addressOf(context)),
        writeProfile: (request, context) => service.writeProfile(request, addressOf(context)),
      });
    },
    close: () => service.close(),
  };
}

/** What both RPCs for files answer with. */
type StoredPush = Pick<
  WriteProfileResponse,
  'totals' | 'rows' | 'timeMs' | 'duplicate' | 'changes' | 'format'
>;

/** A batch between its admission and its ack. */
interface Underway {
  readonly content: string;
  readonly ack: Promise<Ack>;
}

interface Answer extends Ack {
  readonly taken: TakenBatch;
}

class IngestServer {
  readonly #rules: BatchRules;
  readonly #metrics: IngestMetrics;
  readonly #now: () => number;
  readonly #lanes: IngestLanes;
  readonly #budget: TenantBudget;
  readonly #recent: RecentBatches;
  /** Decoded batches that are not answered yet, by key. */
  readonly #underway = new Map<string, Underway>();
  /** Batches that workers are decoding. */
  readonly #taking = new Set<Promise<unknown>>();
  #closed = false;

  constructor({ store, log, registry, limits: overrides, now }: IngestOptions) {
    const limits = { ...INGEST_LIMITS, ...overrides };
    this.#now = now ?? (() => store.now());
    if (limits.batchAgeMs + limits.futureMs + ACCEPTED_FOR_MS > store.rememberBatchesMs) {
      throw new FleetflameError(
        'invalid_input',
        `batchAgeMs (${limits.batchAgeMs}), futureMs (${limits.futureMs}) and half an hour to store a batch are together more than the ` +
          `${store.rememberBatchesMs} ms for which the store remembers batches: a late repeat would count twice.`,
        { field: 'batchAgeMs' },
      );
    }
    const metrics: IngestMetrics = new IngestMetrics(registry, () => ({
      ...this.#lanes.pending,
      series: this.#budget.activeSeries,
      workers: this.#lanes.open,
    }));
    this.#metrics = metrics;
    this.#rules = { limits, metrics, retentionMs: store.retentionMs };
    this.#budget = new TenantBudget(DEFAULT_TENANT, limits, metrics, this.#now());
    this.#lanes = new IngestLanes({ sink: store, limits, metrics, log, retentionMs: store.retentionMs });
    this.#recent = new RecentBatches(limits.recentBatches);
  }

  async write({ agentId, seq, block, cpus }: WriteRequest, address: string): Promise<WriteResponse> {
    const metrics = this.#metrics;
    checkId(agentId, 'agent_id', metrics);
    checkSeq(seq, metrics);
    checkSize(block.length, 'batchBytes', 'block', this.#rules);
    const id = { agentId, seq };
    const key = batchKey(id);
    // A repeat needs no decoding.
    if (this.#recent.has(key) || this.#underway.has(key)) {
      const known = this.#known(id, batchContent(block), 'agent');
      if (known !== undefined) return create(WriteResponseSchema, { duplicate: (await known).duplicate });
    }
    const input = { kind: 'agent', bytes: block, nowMs: this.#now(), cpus } as const;
    const sender = { name: agentId, address };
    const { duplicate } = await this.#store(id, { sender, route: agentId, input });
    return create(WriteResponseSchema, { duplicate });
  }

  async writePprof(request: WritePprofRequest, address: string): Promise<WritePprofResponse> {
    const said = { format: 'pprof', type: '', unit: '' };
    const { format: _, ...stored } = await this.#push(request, said, {}, address);
    return create(WritePprofResponseSchema, stored);
  }

  async writeProfile(request: WriteProfileRequest, address: string): Promise<WriteProfileResponse> {
    const { format, type, unit } = request;
    const said = { format, type, unit };
    return create(WriteProfileResponseSchema, await this.#push(request, said, said, address));
  }

  async #push(
    { pushId, profile, labels, timeMs, kind }: WritePprofRequest | WriteProfileRequest,
    said: { readonly format: string; readonly type: string; readonly unit: string },
    /** The part of it that the content's hash holds. */
    hashed: Readonly<Record<string, string>>,
    address: string,
  ): Promise<StoredPush> {
    if (pushId !== '') checkId(pushId, 'push_id', this.#metrics);
    checkSize(profile.length, 'pprofBytes', 'profile', this.#rules);
    const seriesKind = checkKind(kind, this.#metrics);
    const service = labels[SERVICE_NAME] ?? '';
    const { taken, duplicate } = await this.#store(pushBatchId(pushId), {
      sender: { name: `push/${service}`, address },
      route: service,
      input: {
        kind: 'pprof',
        bytes: profile,
        nowMs: this.#now(),
        labels,
        timeMs: timeMs === undefined ? undefined : Number(timeMs),
        ...said,
        seriesKind,
        hashed,
      },
    });
    const { totals = [], timeMs: takenMs = 0, changes = [], format = '' } = taken.push ?? {};
    return {
      totals: totals.map(([profileType, total]) =>
        create(ProfileTypeTotalSchema, { profileType, total: BigInt(total) }),
      ),
      rows: BigInt(taken.rows),
      timeMs: BigInt(takenMs),
      duplicate,
      changes: changes.map(({ what, count, example }) =>
        create(ImportChangeSchema, { what, count: BigInt(count), example, meaning: IMPORT_CHANGES[what] }),
      ),
      format,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    // What was let in is decoded, then written with the rest.
    while (this.#taking.size > 0) await Promise.allSettled(this.#taking);
    await this.#lanes.close();
  }

  /** Answers repeats as what they are, and everything else when it is durable. */
  async #store(
    id: BatchId,
    /** `sender`: whose share of the budgets it takes; a claim. `route`: what shares names with it. */
    batch: { readonly sender: SenderName; readonly route: string; readonly input: BatchInput },
  ): Promise<Answer> {
    const metrics = this.#metrics;
    const { sender, route } = batch;
    const source = batch.input.kind;
    const sentBytes = batch.input.bytes.length;
    const heavy = this.#lanes.isHeavy(batch.input.bytes);
    this.#admit(sentBytes, heavy);
    const acceptedMs = this.#now();
    this.#budget.spend(sender, sentBytes, acceptedMs);
    // What is received may lie in a buffer that others share: 10 us for 100 kB make it our own, to be handed over.
    const input = { ...batch.input, bytes: new Uint8Array(batch.input.bytes) };
    const placed = await this.#take(route, input, heavy);
    for (const { what, count } of placed.push?.changes ?? []) metrics.changed.inc({ what }, count);
    if (placed.nothing) return { taken: placed, duplicate: false };
    const { lane, number, content } = placed;
    const known = this.#knownOrNoted(id, sender, source, placed);
    if (known !== undefined) {
      lane.forget(number);
      return { taken: placed, duplicate: (await known).duplicate };
    }
    const endAck = metrics.ackSeconds.startTimer({ source });
    const { memoryBytes, timeStartMs, full } = placed;
    const key = batchKey(id);
    const withContent = { ...id, content };
    const segmentBatch = { id: withContent, number, sentBytes, memoryBytes, timeStartMs, acceptedMs, full };
    const answer = lane.segments.add(segmentBatch);
    this.#underway.set(key, { content, ack: answer });
    let ack;
    try {
      ack = await answer;
    } finally {
      this.#underway.delete(key);
    }
    endAck();
    // Of a duplicate the catalog may have no content, and then takes any for a repeat.
    if (!ack.duplicate) this.#recent.add(key, content);
    if (ack.duplicate) metrics.duplicates.inc({ source });
    else {
      metrics.batches.inc({ source });
      metrics.bytes.inc({ source }, sentBytes);
      metrics.rows.inc({ source }, placed.rows);
    }
    return { taken: placed, duplicate: ack.duplicate };
  }

  async #take(route: string, input: BatchInput, heavy: boolean): Promise<PlacedBatch> {
    const taking = this.#lanes.take(route, input, heavy);
    this.#taking.add(taking);
    try {
      const placed = await taking;
      this.#metrics.decodeSeconds.observe(placed.seconds);
      return placed;
    } catch (error) {
      if (!(error instanceof WorkerRefusal)) throw error;
      const { reason = 'format', implausible } = error;
      if (implausible !== undefined) {
        this.#metrics.implausible.inc({ source: input.kind, reason: implausible });
      }
      throw this.#metrics.refuse(reason, error);
    } finally {
      this.#taking.delete(taking);
    }
  }

  /** The ack of what is stored or on its way already; undefined: it is new, and its series are noted. */
  #knownOrNoted(
    id: BatchId,
    sender: SenderName,
    source: BatchInput['kind'],
    { lane, number, content, fingerprints }: PlacedBatch,
  ): Promise<Ack> | undefined {
    try {
      const known = this.#known(id, content, source);
      if (known === undefined) this.#budget.note(sender, fingerprints, this.#now());
      return known;
    } catch (error) {
      lane.forget(number);
      throw error;
    }
  }

  /** Throws conflict when another content is known under the id. */
  #known(id: BatchId, content: string, source: BatchInput['kind']): Promise<Ack> | undefined {
    const metrics = this.#metrics;
    const key = batchKey(id);
    const stored = this.#recent.find(key, content);
    if (stored === 'conflict') throw metrics.refuse('conflict', conflict(id));
    if (stored === 'repeat') {
      metrics.duplicates.inc({ source });
      return Promise.resolve({ duplicate: true });
    }
    const underway = this.#underway.get(key);
    if (underway === undefined || sameContent(underway.content, content)) return underway?.ack;
    return this.#refuseBehind(underway, id);
  }

  /**
   * Another content is on its way under the same number. It is a conflict only when that is stored. If it is not,
   * this one may be, by a process that stands still with an earlier attempt: to be told to take another number
   * would count it twice.
   */
  async #refuseBehind({ ack }: Underway, id: BatchId): Promise<Ack> {
    const metrics = this.#metrics;
    const isStored = await ack.then(
      ({ duplicate }) => !duplicate,
      () => false,
    );
    if (isStored) throw metrics.refuse('conflict', conflict(id));
    const message = 'Another content under the same number was not stored: send it again.';
    throw metrics.refuse('not_stored', new FleetflameError('unavailable', message));
  }

  /** Throws overloaded when so much more would exceed a budget, unavailable when this is closed. */
  #admit(sentBytes: number, heavy: boolean): void {
    const { limits } = this.#rules;
    const metrics = this.#metrics;
    if (this.#closed) {
      const message = 'The server is stopping: send the batch again to the next one.';
      throw metrics.refuse('stopping', new FleetflameError('unavailable', message));
    }
    const { batches, bytes } = this.#lanes.pending;
    if (batches >= limits.pendingBatches) {
      throw metrics.refuse('pendingBatches', overloaded(`${limits.pendingBatches} batches`));
    }
    if (batches > 0 && bytes + sentBytes > limits.pendingBytes) {
      throw metrics.refuse('pendingBytes', overloaded(`${limits.pendingBytes} bytes`));
    }
    const { heavyBytes } = this.#lanes;
    if (heavy && heavyBytes > 0 && heavyBytes + sentBytes > limits.heavyPendingBytes) {
      throw metrics.refuse(
        'heavyPendingBytes',
        overloaded(`${limits.heavyPendingBytes} bytes of heavy batches`),
      );
    }
  }
}

function overloaded(limit: string): FleetflameError {
  return new FleetflameError(
    'overloaded',
    `${limit} wait to be stored already, which is the limit: send the batch again later.`,
  );
}

function checkSeq(seq: bigint, metrics: IngestMetrics): void {
  if (seq <= MAX_SEQ) return;
  throw metrics.refuse(
    'seq',
    new FleetflameError('invalid_input', `seq is ${seq}, at most ${MAX_SEQ} is taken: it counts batches.`, {
      field: 'seq',
    }),
  );
}
