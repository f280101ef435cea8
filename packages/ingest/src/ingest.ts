/**
 * The door of the store. What comes in is decoded and checked in full before it is let near other
 * batches; what is refused says why and where, and costs nobody else anything.
 */
import { create } from '@bufbuild/protobuf';
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import { decodeBlock, FleetflameError, IMPORT_CHANGES, type Block } from '@fleetflame/profile';
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
import { ACCEPTED_FOR_MS, DEFAULT_TENANT, MAX_SEQ, type BatchId, type Store } from '@fleetflame/store';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import {
  AGENT_TIME,
  checkAge,
  checkId,
  checkLabels,
  checkShape,
  checkSize,
  checkTime,
  type BatchRules,
} from './check-batch.ts';
import { batchContent, pushContent } from './content-hash.ts';
import { checkValues, coveredByBatch } from './check-values.ts';
import { IngestMetrics } from './ingest-metrics.ts';
import { INGEST_LIMITS, type IngestLimits } from './limits.ts';
import { decodePush, pushBatchId, type PushedFile } from './profile-push.ts';
import { RecentBatches } from './recent-batches.ts';
import { batchKey, conflict, SegmentWriter, type Ack } from './segment-writer.ts';
import { TenantBudget, type SenderName } from './tenant-budget.ts';

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

/** What both RPCs answer with. */
type StoredPush = Pick<
  WriteProfileResponse,
  'totals' | 'rows' | 'timeMs' | 'duplicate' | 'changes' | 'format'
>;

class IngestServer {
  readonly #rules: BatchRules;
  readonly #metrics: IngestMetrics;
  readonly #now: () => number;
  readonly #segments: SegmentWriter;
  readonly #budget: TenantBudget;
  readonly #recent: RecentBatches;

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
      ...this.#segments.pending,
      series: this.#budget.activeSeries,
    }));
    this.#metrics = metrics;
    this.#rules = { limits, metrics, retentionMs: store.retentionMs };
    this.#budget = new TenantBudget(DEFAULT_TENANT, limits, metrics, this.#now());
    this.#segments = new SegmentWriter({ sink: store, limits, metrics, log });
    this.#recent = new RecentBatches(limits.recentBatches);
  }

  async write(request: WriteRequest, address: string): Promise<WriteResponse> {
    const metrics = this.#metrics;
    const sender = { name: request.agentId, address };
    checkId(request.agentId, 'agent_id', metrics);
    checkSeq(request.seq, metrics);
    checkSize(request.block.length, 'batchBytes', 'block', this.#rules);
    const id = { agentId: request.agentId, seq: request.seq, content: batchContent(request.block) };
    const { duplicate } = await this.#store(id, sender, 'agent', request.block.length, () => {
      const block = this.#decode(request.block);
      const nowMs = this.#now();
      checkTime(block, nowMs, this.#rules, AGENT_TIME);
      checkAge(block, nowMs, this.#rules);
      checkValues(block, coveredByBatch(block, request.cpus), this.#rules);
      return block;
    });
    return create(WriteResponseSchema, { duplicate });
  }

  async writePprof(request: WritePprofRequest, address: string): Promise<WritePprofResponse> {
    const { profile, labels, timeMs, pushId } = request;
    const file = { profile, labels, timeMs, format: 'pprof', type: '', unit: '' };
    const { format: _, ...stored } = await this.#push(pushId, file, pushContent(profile, labels), address);
    return create(WritePprofResponseSchema, stored);
  }

  async writeProfile(request: WriteProfileRequest, address: string): Promise<WriteProfileResponse> {
    const { profile, labels, format, type, unit } = request;
    const content = pushContent(profile, labels, { format, type, unit });
    return create(WriteProfileResponseSchema, await this.#push(request.pushId, request, content, address));
  }

  async #push(pushId: string, file: PushedFile, content: string, address: string): Promise<StoredPush> {
    if (pushId !== '') checkId(pushId, 'push_id', this.#metrics);
    const sizeBytes = file.profile.length;
    checkSize(sizeBytes, 'pprofBytes', 'profile', this.#rules);
    const { block, totals, timeMs, changes, format, durationMs } = decodePush(file, this.#now(), this.#rules);
    checkLabels(block, this.#rules);
    checkValues(block, { source: 'pprof', cpus: 0, durationMs }, this.#rules);
    let duplicate = false;
    if (block.samples.length > 0) {
      const id = { ...pushBatchId(pushId), content };
      const sender = { name: `push/${file.labels['service_name'] ?? ''}`, address };
      ({ duplicate } = await this.#store(id, sender, 'pprof', sizeBytes, () => block));
    }
    return {
      totals: [...totals].map(([profileType, total]) =>
        create(ProfileTypeTotalSchema, { profileType, total: BigInt(total) }),
      ),
      rows: BigInt(block.samples.length),
      timeMs: BigInt(timeMs),
      duplicate,
      changes: changes.map(({ what, count, example }) =>
        create(ImportChangeSchema, { what, count: BigInt(count), example, meaning: IMPORT_CHANGES[what] }),
      ),
      format,
    };
  }

  close(): Promise<void> {
    return this.#segments.close();
  }

  /** Answers repeats without decoding them, and everything else when it is durable. */
  async #store(
    id: BatchId & { readonly content: string },
    /** Whose share of the budgets it takes; a claim. */
    sender: SenderName,
    source: 'agent' | 'pprof',
    sizeBytes: number,
    decode: () => Block,
  ): Promise<Ack> {
    const metrics = this.#metrics;
    const key = batchKey(id);
    const known = this.#recent.find(key, id.content);
    if (known === 'conflict') throw metrics.refuse('conflict', conflict(id));
    if (known === 'repeat') {
      metrics.duplicates.inc({ source });
      return { duplicate: true };
    }
    const underway = this.#segments.find(id);
    if (underway !== undefined) return underway;
    this.#segments.admit(sizeBytes);
    const acceptedMs = this.#now();
    this.#budget.spend(sender, sizeBytes, this.#now());
    const endDecode = metrics.decodeSeconds.startTimer();
    const block = decode();
    checkShape(block, this.#rules);
    this.#budget.note(sender, block, this.#now());
    endDecode();
    const endAck = metrics.ackSeconds.startTimer({ source });
    const ack = await this.#segments.add(id, block, acceptedMs);
    endAck();
    // Of a duplicate the catalog may have no content, and then takes any for a repeat.
    if (!ack.duplicate) this.#recent.add(key, id.content);
    if (ack.duplicate) metrics.duplicates.inc({ source });
    else {
      metrics.batches.inc({ source });
      metrics.bytes.inc({ source }, sizeBytes);
      metrics.rows.inc({ source }, block.samples.length);
    }
    return ack;
  }

  #decode(bytes: Uint8Array): Block {
    let block;
    try {
      block = decodeBlock(bytes, { limits: { inflatedBytes: this.#rules.limits.batchInflatedBytes } });
    } catch (error) {
      if (!(error instanceof FleetflameError)) throw error;
      // Corrupt in storage would be our fault; corrupt in a request is the sender's.
      const code = error.code === 'corrupt_data' ? 'invalid_input' : error.code;
      const field = error.field === undefined ? 'block' : `block.${error.field}`;
      throw this.#metrics.refuse('format', new FleetflameError(code, error.message, { field, cause: error }));
    }
    checkLabels(block, this.#rules);
    return block;
  }
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
