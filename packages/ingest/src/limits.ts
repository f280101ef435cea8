import { availableParallelism } from 'node:os';

import { BLOCK_LIMITS } from '@fleetflame/profile';

/** What one tenant may do, by each ingest process for itself. */
export interface TenantLimits {
  /** Bytes of batches, as sent: 64 MiB a second are some ten thousand hosts. Over it senders try again later. */
  readonly bytesPerSecond: number;
  /**
   * Label sets that were sent within `seriesIdleMs`. Each is forty bytes here, and a row in every block. When there
   * are so many, only senders with less than an equal share may bring more; the others try again later.
   */
  readonly activeSeries: number;
  /** Ms after which a series that is not sent any more is no longer active. */
  readonly seriesIdleMs: number;
}

/**
 * What ingest turns away (I8). Each limit has a counter of the same reason in
 * fleetflame_ingest_refused_total, and an error that names the limit and the value that exceeded it.
 */
export interface IngestLimits extends TenantLimits {
  /** Stored bytes of one batch. Ten seconds of a large host are some hundred kilobytes. */
  readonly batchBytes: number;
  /** Memory that decoding one batch may take, whatever its compressed size says: the guard against bombs. */
  readonly batchInflatedBytes: number;
  /** Bytes of one pprof file as sent. */
  readonly pprofBytes: number;
  /** Series of one batch: a host of ten thousand threads with labels of their own still fits. */
  readonly seriesPerBatch: number;
  /** Sample rows of one batch: a minute of a thousand CPUs at 19 Hz is a million samples, and fewer rows. */
  readonly rowsPerBatch: number;
  /**
   * Frames of one stack: what a block holds. An agent sends 254 at most, runtimes with deep recursion many
   * thousands; deeper stacks of pushed files are cut in the middle.
   */
  readonly stackDepth: number;
  /** Labels of one series. Everything an agent knows about a process is some fifteen. */
  readonly labelsPerSeries: number;
  /** UTF-16 units of a label's name. */
  readonly labelNameLength: number;
  /** UTF-16 units of a label's value: paths and systemd units are long, documents are not labels. */
  readonly labelValueLength: number;
  /** Ms from the first to the last sample of a batch: a day, since blocks are merged by day. */
  readonly batchSpanMs: number;
  /**
   * CPUs of one sender, where it does not say: the largest hosts have a quarter of it. CPU time beyond twice what so
   * many have is refused: a value that cannot be hides what is beside it.
   */
  readonly cpusPerSender: number;
  /** Ms over which a pushed profile that does not say was gathered at most, for the same. */
  readonly unknownDurationMs: number;
  /** Ms that a batch may end after the server's now: clocks differ, but not by more than this. */
  readonly futureMs: number;
  /**
   * Ms from an agent's newest sample of a batch to its arrival: what an agent's spool keeps at most (a day,
   * `--spool-age`) and an hour for clocks. The store remembers which batches it has for longer than this
   * and `futureMs` together; what is older could not be told from a repeat.
   */
  readonly batchAgeMs: number;
  /** In-memory bytes of batches that wait for their segment or are being written. */
  readonly pendingBytes: number;
  /** Calls that wait for their segment. */
  readonly pendingBatches: number;
  /**
   * In-memory bytes at which a segment is closed before its time. Merging and encoding hold the event
   * loop: some 80 batches of a large host are a third of a second.
   */
  readonly segmentBytes: number;
  /** Ms that a segment stays open: an ack waits half of it on average. */
  readonly segmentMs: number;
  /** Bytes of batches, as sent, at which a segment is closed before its time: what 50 to 150 ms of a worker take. */
  readonly segmentSentBytes: number;
  /**
   * A segment of so many bytes, as sent, is closed when nothing has come for `segmentIdleMs`: whoever sends
   * waits for the answers. Below it an object would cost more than the wait.
   */
  readonly segmentIdleBytes: number;
  readonly segmentIdleMs: number;
  /**
   * Threads that decode, besides the one for heavy batches; one is used, and one object a second written,
   * until it is behind.
   */
  readonly workers: number;
  /** Memory of a worker's tables of names, functions and stacks; beyond it, new ones are begun. */
  readonly dictionaryBytes: number;
  /** A batch of more bytes, as sent, goes to the worker of heavy ones, where it holds up its like only. */
  readonly heavyBytes: number;
  /** So does a file of more bytes inside its compression, */
  readonly heavyInflatedBytes: number;
  /** and one of more stack prefixes: 200,000 take a fifth of a second. */
  readonly heavyStacks: number;
  /** Bytes, as sent, that wait for the worker of heavy batches. */
  readonly heavyPendingBytes: number;
  /** Recently committed batches that are remembered, to ack a retry without asking the catalog. */
  readonly recentBatches: number;
}

export const INGEST_LIMITS: IngestLimits = {
  batchBytes: 16 << 20,
  batchInflatedBytes: 128 << 20,
  pprofBytes: 32 << 20,
  seriesPerBatch: 20_000,
  rowsPerBatch: 1_000_000,
  stackDepth: BLOCK_LIMITS.stackDepth,
  bytesPerSecond: 64 << 20,
  activeSeries: 1_000_000,
  seriesIdleMs: 3_600_000,
  labelsPerSeries: 48,
  labelNameLength: 256,
  labelValueLength: 2048,
  batchSpanMs: 86_400_000,
  cpusPerSender: 4096,
  unknownDurationMs: 300_000,
  futureMs: 600_000,
  batchAgeMs: 25 * 3_600_000,
  pendingBytes: 256 << 20,
  pendingBatches: 20_000,
  segmentBytes: 16 << 20,
  segmentMs: 1000,
  segmentSentBytes: 8 << 20,
  segmentIdleBytes: 1 << 20,
  segmentIdleMs: 30,
  workers: Math.min(4, availableParallelism()),
  dictionaryBytes: 48 << 20,
  heavyBytes: 1 << 20,
  heavyInflatedBytes: 4 << 20,
  heavyStacks: 200_000,
  heavyPendingBytes: 64 << 20,
  recentBatches: 50_000,
};

/** Values of the `reason` label of fleetflame_ingest_refused_total. */
export type RefusalReason =
  | 'agent_id'
  | 'seq'
  | 'conflict'
  | 'implausible'
  | 'format'
  | 'labels'
  | 'service_name'
  | 'time'
  | 'overloaded'
  | 'stopping'
  | 'not_stored'
  | keyof Pick<
      IngestLimits,
      | 'batchBytes'
      | 'pprofBytes'
      | 'seriesPerBatch'
      | 'rowsPerBatch'
      | 'stackDepth'
      | 'bytesPerSecond'
      | 'activeSeries'
      | 'labelsPerSeries'
      | 'labelNameLength'
      | 'labelValueLength'
      | 'batchSpanMs'
      | 'futureMs'
      | 'batchAgeMs'
      | 'pendingBytes'
      | 'pendingBatches'
      | 'heavyPendingBytes'
    >
  | 'retention';
