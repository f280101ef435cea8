/** Removes what is past its time: old blocks and batches, and the objects of blocks deleted a while ago. */
import type { BlockPins } from '../block-pins.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { StoreMetrics } from '../store-metrics.ts';

/**
 * How long anybody may read the blocks of one snapshot (I6). Processes do not tell each other what they
 * read; this is the promise that takes its place. Queries end long before.
 */
export const SNAPSHOT_MAX_MS = 600_000;
/**
 * How long a deleted block's object stays: a snapshot, and time for clocks to differ and for a removal
 * to be late in the process that pins it. Queries in this process pin what they read besides.
 */
export const DELETED_GRACE_MS = SNAPSHOT_MAX_MS + 300_000;
/** Rows of removed blocks stay as tombstones: longer than any writer could have been stopped. */
const TOMBSTONE_MS = 7 * 86_400_000;
/**
 * How long a batch's identity is kept (I2): an agent keeps a batch in its spool for a day, ingest takes
 * it for an hour more, and a sender's clock may be ten minutes ahead of the samples' arrival. A fleet of
 * 10,000 hosts commits 86 million of them a day, so it is not kept for as long as the data.
 */
export const REMEMBER_BATCHES_MS = 26 * 3_600_000;
/** Objects removed in one round: keeps a round short when a day's worth of blocks expires at once. */
const REMOVE_LIMIT = 2000;
/** Of them underway at once: an object store takes some 10 ms for each. */
const REMOVE_AT_ONCE = 16;

export interface RemoverOptions {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly pins: BlockPins;
  readonly metrics: StoreMetrics;
  /** How long blocks are kept, by resolution; 0: raw. */
  readonly retentionMs: ReadonlyMap<number, number>;
  readonly rememberBatchesMs: number;
}

export async function expire(options: RemoverOptions, nowMs: number): Promise<void> {
  const { catalog, metrics, retentionMs, rememberBatchesMs } = options;
  for (const [resolutionMs, keptMs] of retentionMs) {
    const blocks = await catalog.expireBlocks(resolutionMs, nowMs - keptMs, nowMs);
    metrics.expired.inc({ what: resolutionMs === 0 ? 'block' : 'rollup' }, blocks);
  }
  const batches = await catalog.expireBatches(nowMs - rememberBatchesMs, nowMs);
  metrics.expired.inc({ what: 'batch' }, batches);
}

export async function removeDeleted(options: RemoverOptions, nowMs: number): Promise<number> {
  const { objects, catalog, pins, metrics } = options;
  const removed: string[] = [];
  const failures: unknown[] = [];
  const entries = (await catalog.deletedBefore(nowMs - DELETED_GRACE_MS, REMOVE_LIMIT)).values();
  const remove = async (): Promise<void> => {
    for (const { id, key } of entries) {
      if (pins.has(id)) continue;
      try {
        await objects.delete(key);
        removed.push(id);
      } catch (error) {
        failures.push(error);
        // It may be the storage: the others wait for the next round.
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: REMOVE_AT_ONCE }, remove));
  if (removed.length > 0) await catalog.markRemoved(removed, nowMs);
  metrics.removed.inc(removed.length);
  if (failures.length > 0) throw failures[0];
  await catalog.purgeRemoved(nowMs - TOMBSTONE_MS);
  return removed.length;
}
