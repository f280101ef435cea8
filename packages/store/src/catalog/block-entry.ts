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
}

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
}
