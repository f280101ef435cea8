/** One block as the catalog knows it. */
export interface BlockEntry {
  readonly id: string;
  /** Key of its object. */
  readonly key: string;
  /** 0: a segment; further ones: compaction/levels.ts. */
  readonly level: number;
  /** Unix ms of the first and the last sample, both inclusive. */
  readonly timeMinMs: number;
  readonly timeMaxMs: number;
  readonly sizeBytes: number;
  /** Sample rows. */
  readonly rows: number;
  /** Points of all rows; 0: it was written before they were counted. */
  readonly points: number;
  readonly tenant: string;
  /** Which of `shards` it holds: those services whose shard this is (shard-of.ts). 0 of 1: all of them. */
  readonly shard: number;
  readonly shards: number;
  /** 0: times as sampled; else a rollup, with points at multiples of so many ms. */
  readonly resolutionMs: number;
  /** What is in it is also in blocks of the next coarser resolution. */
  readonly rolledUp: boolean;
  /** Labels that the rollup summed over, sorted. */
  readonly droppedLabels: readonly string[];
}

/** What tenants are there before anybody has a token. */
export const DEFAULT_TENANT = 'default';

/** A raw block of everything, as segments are, before it is known how large it is. */
export const WHOLE = {
  points: 0,
  tenant: DEFAULT_TENANT,
  shard: 0,
  shards: 1,
  resolutionMs: 0,
  rolledUp: false,
  droppedLabels: [],
} as const satisfies Partial<BlockEntry>;

/** A block that could not be read (I7): its time range counts as missing coverage. */
export interface QuarantinedEntry extends BlockEntry {
  readonly reason: string;
  /** Unix ms. */
  readonly sinceMs: number;
}

/** One batch of one agent; the pair counts once (I2). */
export interface BatchId {
  readonly agentId: string;
  readonly seq: bigint;
  /**
   * Names what the batch holds, so that a repeat can be told from another batch under the same numbers.
   * Undefined: not known, equal to everything.
   */
  readonly content?: string;
}
