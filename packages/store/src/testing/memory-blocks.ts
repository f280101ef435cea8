/** Rows of a MemoryCatalog's blocks, and what compaction sees of them. */
import type { BlockEntry } from '../catalog/block-entry.ts';
import type {
  CompactionView,
  CrowdedWindow,
  LevelEdge,
  LevelWindow,
  Small,
} from '../catalog/compaction-view.ts';

export interface MemoryBlock {
  entry: BlockEntry;
  deletedMs: number | undefined;
  removedMs: number | undefined;
  quarantine: { readonly reason: string; readonly sinceMs: number } | undefined;
  jobId: string | undefined;
}

export class MemoryCompactionView implements CompactionView {
  readonly #blocks: ReadonlyMap<string, MemoryBlock>;

  constructor(blocks: ReadonlyMap<string, MemoryBlock>) {
    this.#blocks = blocks;
  }

  rising(edges: readonly LevelEdge[], limit: number): Promise<BlockEntry[]> {
    const isRising = ({ level, timeMinMs }: BlockEntry): boolean =>
      edges.some((edge) => level < edge.level && timeMinMs < edge.beforeMs);
    return Promise.resolve(byTime(this.#free().filter(isRising)).slice(0, limit));
  }

  crowded(windows: readonly LevelWindow[], small: Small, limit: number): Promise<CrowdedWindow[]> {
    const found: CrowdedWindow[] = [];
    for (const { level, windowMs } of windows) {
      const counts = new Map<string, { readonly window: CrowdedWindow; blocks: number }>();
      for (const { entry, deletedMs, jobId } of this.#blocks.values()) {
        if (deletedMs !== undefined || jobId !== undefined || entry.level !== level) continue;
        if (entry.sizeBytes > small.bytes || entry.points > small.points) continue;
        const { timeMinMs, tenant, shard, shards, resolutionMs, rolledUp } = entry;
        const startMs = timeMinMs - (timeMinMs % windowMs);
        const window = { level, windowMs, startMs, tenant, shard, shards, resolutionMs, rolledUp };
        const key = JSON.stringify(window);
        const count = counts.get(key) ?? { window, blocks: 0 };
        counts.set(key, count);
        count.blocks++;
      }
      const crowded = [...counts.values()].filter(({ blocks }) => blocks > 1);
      crowded.sort((a, b) => b.blocks - a.blocks || a.window.startMs - b.window.startMs);
      found.push(...crowded.slice(0, limit).map(({ window }) => window));
    }
    return Promise.resolve(found);
  }

  inWindow(window: CrowdedWindow, limit: number): Promise<BlockEntry[]> {
    const { level, startMs, windowMs, tenant, shard, shards, resolutionMs, rolledUp } = window;
    const inside = this.#free().filter(
      (entry) =>
        entry.level === level &&
        entry.timeMinMs >= startMs &&
        entry.timeMinMs < startMs + windowMs &&
        entry.tenant === tenant &&
        entry.shard === shard &&
        entry.shards === shards &&
        entry.resolutionMs === resolutionMs &&
        entry.rolledUp === rolledUp,
    );
    return Promise.resolve(ordered(inside, (entry) => entry.sizeBytes).slice(0, limit));
  }

  notRolledUp(resolutionMs: number, level: number, limit: number): Promise<BlockEntry[]> {
    const open = this.#free().filter(
      (entry) => entry.resolutionMs === resolutionMs && !entry.rolledUp && entry.level >= level,
    );
    return Promise.resolve(byTime(open).slice(0, limit));
  }

  ofJob(jobId: string): Promise<BlockEntry[]> {
    return Promise.resolve(byTime(this.#readable((block) => block.jobId === jobId)));
  }

  #free(): BlockEntry[] {
    return this.#readable((block) => block.jobId === undefined);
  }

  #readable(condition: (block: MemoryBlock) => boolean): BlockEntry[] {
    const entries: BlockEntry[] = [];
    for (const block of this.#blocks.values()) {
      if (block.deletedMs === undefined && block.quarantine === undefined && condition(block))
        entries.push(block.entry);
    }
    return entries;
  }
}

export function byTime(entries: readonly BlockEntry[]): BlockEntry[] {
  return ordered(entries, (entry) => entry.timeMinMs);
}

/** By the numbers, ascending, then by id. */
export function ordered<T extends { readonly id: string }>(
  all: readonly T[],
  ...keys: readonly ((one: T) => number)[]
): T[] {
  return all.toSorted((a, b) => {
    for (const key of keys) {
      const difference = key(a) - key(b);
      if (difference !== 0) return difference;
    }
    return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
  });
}
