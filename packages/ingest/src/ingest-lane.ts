/** A worker thread and the segment that is open in it. */
import { SegmentWriter, type SegmentWriterOptions } from './segment-writer.ts';
import { IngestThread } from './worker/ingest-thread.ts';
import type { BatchInput, TakenBatch, WorkerSettings } from './worker/messages.ts';

/** A worker that was given nothing for so long ends, which gives its memory back. */
const IDLE_MS = 90_000;

export interface LaneOptions extends Omit<SegmentWriterOptions, 'sealer'> {
  readonly retentionMs: number;
  /** Takes what ordinary workers give up on. */
  readonly heavy: boolean;
}

export interface LaneBatch extends TakenBatch {
  readonly number: number;
}

export class IngestLane {
  readonly segments: SegmentWriter;
  readonly #thread: IngestThread;
  #next = 0;
  #taking = 0;
  /** Of taking a batch, the last ones counting most. */
  #meanSeconds = 0;
  #takingBytes = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: LaneOptions) {
    const { limits, metrics, log, retentionMs, heavy } = options;
    const settings: WorkerSettings = { limits, retentionMs, heavy };
    this.#thread = new IngestThread(settings, (error) => {
      metrics.workerDeaths.inc();
      log.error({ err: error }, 'a thread that decodes batches ended: it is replaced');
      this.segments.lost();
    });
    this.segments = new SegmentWriter({ ...options, sealer: this.#thread });
  }

  /** Bytes, as sent, that wait to be decoded or are being decoded. */
  get takingBytes(): number {
    return this.#takingBytes;
  }

  /** About how long a batch that comes now waits. */
  get waitSeconds(): number {
    return this.#taking * this.#meanSeconds;
  }

  get taking(): number {
    return this.#taking;
  }

  /** Decodes and checks. The batch stays in the worker until `segments` wrote it or it is forgotten. */
  async take(input: BatchInput): Promise<LaneBatch> {
    const number = this.#next++;
    const { byteLength } = input.bytes;
    this.#taking++;
    this.#takingBytes += byteLength;
    clearTimeout(this.#idle);
    try {
      const taken = await this.#thread.take(number, input);
      this.#meanSeconds += (taken.seconds - this.#meanSeconds) / 16;
      return { ...taken, number };
    } finally {
      this.#taking--;
      this.#takingBytes -= byteLength;
      this.#whenIdle();
    }
  }

  forget(batch: number): void {
    this.#thread.forget([batch]);
  }

  async close(): Promise<void> {
    await this.segments.close();
    clearTimeout(this.#idle);
    await this.#thread.stop();
  }

  #whenIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#taking === 0 && this.segments.pending.batches === 0) void this.#thread.stop();
      else this.#whenIdle();
    }, IDLE_MS);
    this.#idle.unref();
  }
}
