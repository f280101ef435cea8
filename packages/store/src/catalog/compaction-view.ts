/** What compaction has to know of the blocks, in bounded portions; all of them live, readable and without a job. */
import type { BlockEntry } from './block-entry.ts';

export interface CompactionView {
  /** Blocks below an edge's level that begin before it, oldest first. */
  rising(edges: readonly LevelEdge[], limit: number): Promise<BlockEntry[]>;
  /** Windows that hold several blocks which could be merged, the most crowded first. */
  crowded(windows: readonly LevelWindow[], small: Small, limit: number): Promise<CrowdedWindow[]>;
  /** The blocks of such a window, smallest first. */
  inWindow(window: CrowdedWindow, limit: number): Promise<BlockEntry[]>;
  /** Blocks of the resolution and at least the level that no rollup holds yet, oldest first. */
  notRolledUp(resolutionMs: number, level: number, limit: number): Promise<BlockEntry[]>;
  /** The blocks that a job is about, as far as they are still live and readable; by time. */
  ofJob(jobId: string): Promise<BlockEntry[]>;
}

/** What is not larger may still be merged with another. */
export interface Small {
  readonly bytes: number;
  readonly points: number;
}

export interface LevelEdge {
  readonly level: number;
  readonly beforeMs: number;
}

export interface LevelWindow {
  readonly level: number;
  readonly windowMs: number;
}

/** Blocks that may be merged with each other: of one window, level, tenant, shard and resolution. */
export interface CrowdedWindow extends LevelWindow {
  readonly startMs: number;
  readonly tenant: string;
  readonly shard: number;
  readonly shards: number;
  readonly resolutionMs: number;
  readonly rolledUp: boolean;
}
