import { availableParallelism } from 'node:os';

/**
 * What one query and all queries together may cost. What a limit turns away is counted in
 * fleetflame_query_refused_total{limit="..."}, under the names used here.
 */
export interface QueryLimits {
  /** Longest time range, ms. Retention is days to months; longer is a mistake in the units. */
  readonly rangeMs: number;
  /** Blocks of one query. Compaction keeps a month of one shard under a few hundred. */
  readonly blocks: number;
  /** Rows of a flame table. A million is 45 MB on the wire and as much as a UI draws smoothly. */
  readonly nodes: number;
  /** Labels of a group-by, and of an export's label filter. */
  readonly groupByLabels: number;
  /** Frames of a focused path. */
  readonly focusFrames: number;
  /** Shortest step of a series, ms: agents resolve a second. */
  readonly stepMs: number;
  /** Steps of a series: what a screen of 4K and some more can show; the same as in Prometheus. */
  readonly steps: number;
  /** Numbers (groups times steps) that one series query may hold: 128 MB. */
  readonly seriesNumbers: number;
  /** Numbers of a series answer: writing them as JSON holds the event loop, a tenth of a second for so many. */
  readonly seriesAnswerNumbers: number;
  /** UTF-16 units of a label's name, and of a profile type. */
  readonly nameLength: number;
  /** Groups that a series answer lists. */
  readonly seriesGroups: number;
  /** Functions of a top answer, values of a label answer. */
  readonly listed: number;
  /** Distinct lines of one function: more are in no source file. */
  readonly functionLines: number;
  /** Distinct values of one label that are counted. */
  readonly labelValues: number;
  /** Values of gauges and cumulative series that one question puts together: 240 MB. */
  readonly foldedPoints: number;
  /** (series, stack) rows of an export: about 500 MB while it is built. */
  readonly exportRows: number;
  /** Exports that are built at once; others wait. */
  readonly exports: number;
  /** Queries that run at once, on all workers together. */
  readonly running: number;
  /** Threads that work on queries, not more than `running`; the second one begins when there are queries for it. */
  readonly workers: number;
  /**
   * MiB of a worker's JavaScript heap: names, what is listed, and text on its way into an answer; blocks and trees lie
   * outside of it. Who exceeds it ends the thread and its queries. One piece of text that alone is larger than what is left
   * ends the process, as it does beyond the heap of any thread: so this is not less than Node's own limit of a process.
   */
  readonly workerHeapMib: number;
  /**
   * Longest time that a query runs, ms: after ten minutes the objects that it reads may be removed
   * (SNAPSHOT_MAX_MS in packages/store/src/maintenance/remover.ts), and one read of an object may take a minute.
   */
  readonly runMs: number;
  /** Queries that wait for one to end; further ones are refused as overloaded. */
  readonly waiting: number;
  /** Blocks that one query reads ahead, to hide the latency of an object store. */
  readonly readAhead: number;
  /** Bytes of decoded blocks that all queries hold at once: further reads wait. A larger block is read alone. */
  readonly decodedBytes: number;
  /** Bytes of partial answers that one query holds before it sums them. */
  readonly gatheredBytes: number;
  /** Bytes of each cache, of all workers together. */
  readonly footerCacheBytes: number;
  readonly blockCacheBytes: number;
  readonly partialCacheBytes: number;
  readonly blockFramesCacheBytes: number;
  readonly seriesCacheBytes: number;
  /** Bytes of frames, names with them, that cached partial answers share. */
  readonly frameBytes: number;
}

export const QUERY_LIMITS: QueryLimits = {
  rangeMs: 400 * 86_400_000,
  blocks: 100_000,
  nodes: 1_000_000,
  groupByLabels: 8,
  focusFrames: 1024,
  stepMs: 1000,
  steps: 11_000,
  seriesNumbers: 1 << 24,
  seriesAnswerNumbers: 250_000,
  nameLength: 512,
  seriesGroups: 1000,
  listed: 100_000,
  functionLines: 100_000,
  labelValues: 1_000_000,
  foldedPoints: 20_000_000,
  exportRows: 4_000_000,
  exports: 2,
  running: 8,
  workers: availableParallelism(),
  workerHeapMib: 4096,
  runMs: 300_000,
  waiting: 64,
  readAhead: 4,
  decodedBytes: 512 << 20,
  gatheredBytes: 64 << 20,
  footerCacheBytes: 32 << 20,
  blockCacheBytes: 256 << 20,
  partialCacheBytes: 256 << 20,
  blockFramesCacheBytes: 32 << 20,
  seriesCacheBytes: 32 << 20,
  frameBytes: 128 << 20,
};

/** Rows of a flame table when the request does not say. */
export const DEFAULT_NODES = 16_384;
/** Functions or values listed when the request does not say. */
export const DEFAULT_LISTED = 1000;
