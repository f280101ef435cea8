/** Removes the objects of blocks that were deleted a while ago. */
import type { BlockPins } from '../block-pins.ts';
import { STEADY_MS } from './governor.ts';
import { NoteFields } from './note-fields.ts';
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
/** Objects removed in one round: keeps a round short when a day's worth of blocks expires at once. */
const REMOVE_LIMIT = 2000;
/** Of them underway at once: an object store takes some 10 ms for each. */
const REMOVE_AT_ONCE = 16;

export interface RemoverOptions {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly pins: BlockPins;
  readonly metrics: StoreMetrics;
}

export async function removeDeleted(options: RemoverOptions, nowMs: number): Promise<number> {
  const { objects, catalog, pins, metrics } = options;
  if (await isRecentJump(catalog, nowMs)) return 0;
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

/** A run at `ranMs`; at `jumpedMs` the clock was found elsewhere than it could have come to. */
interface RemovalClock {
  readonly ranMs: number;
  readonly jumpedMs: number;
}

const REMOVAL_CLOCK = 'removal/clock';

/**
 * I6: ages of deleted rows are not known for a grace after the clock has jumped, or after nobody has looked for an hour:
 * what was deleted a moment ago would seem to be old.
 */
async function isRecentJump(catalog: Catalog, nowMs: number): Promise<boolean> {
  const text = (await catalog.notes.list(REMOVAL_CLOCK)).get(REMOVAL_CLOCK);
  const last = NoteFields.parse(text);
  const hasJumped = Math.abs(nowMs - (last?.number('ranMs') ?? nowMs)) > STEADY_MS;
  const jumpedMs = hasJumped ? nowMs : (last?.number('jumpedMs') ?? 0);
  const clock: RemovalClock = { ranMs: nowMs, jumpedMs };
  await catalog.notes.set(REMOVAL_CLOCK, JSON.stringify(clock));
  return Math.abs(nowMs - jumpedMs) < DELETED_GRACE_MS;
}
