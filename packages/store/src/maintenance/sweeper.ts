/**
 * Compares what lies in object storage with what the catalog says (I3).
 *
 *   object without a row   left by a crash between object and row. After a grace it gets a tombstone
 *                          row, so that no late writer can commit it, and is then removed like any
 *                          deleted block's object.
 *   row without an object  must not happen. The block is quarantined, so that answers say what is missing.
 */
import type { Logger } from 'pino';
import { BLOCK_PREFIX } from '../block-id.ts';
import type { BlockEntry } from '../catalog/block-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { StoreMetrics } from '../store-metrics.ts';

/** Far beyond what any write takes from object to row, and beyond clocks that disagree by minutes. */
export const ORPHAN_GRACE_MS = 3_600_000;

export interface SweeperOptions {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly metrics: StoreMetrics;
  readonly log: Logger;
  /** Keys that this process is writing now. */
  readonly isWriting: (key: string) => boolean;
  readonly quarantine: (entry: BlockEntry, reason: string, finder: 'sweep') => Promise<void>;
}

export interface SweepResult {
  readonly orphans: number;
  readonly missing: number;
}

export async function sweep(options: SweeperOptions, nowMs: number): Promise<SweepResult> {
  const { objects, catalog, metrics, log, isWriting, quarantine } = options;
  // Rows first: an object is there before its row, so a live row's object must be in the later list.
  const known = await catalog.knownKeys();
  const keys = await objects.list(BLOCK_PREFIX);
  const present = new Set(keys);

  let missing = 0;
  for (const [key, { id, state }] of known) {
    if (state !== 'live' || present.has(key)) continue;
    missing++;
    metrics.swept.inc({ what: 'missing' });
    await quarantine(emptyEntry(id, key), 'its object is not in object storage', 'sweep');
  }

  let orphans = 0;
  for (const key of keys) {
    if (known.has(key) || isWriting(key)) continue;
    const { modifiedMs, sizeBytes } = await objects.stat(key);
    if (nowMs - modifiedMs < ORPHAN_GRACE_MS) continue;
    const entry = { ...emptyEntry(key.slice(BLOCK_PREFIX.length), key), sizeBytes };
    if ((await catalog.settle(entry, nowMs)) === 'committed') continue;
    orphans++;
    metrics.swept.inc({ what: 'orphan' });
    log.info({ key, sizeBytes }, 'found an object without a row: it will be removed');
  }
  return { orphans, missing };
}

function emptyEntry(id: string, key: string): BlockEntry {
  return { id, key, level: 0, timeMinMs: 0, timeMaxMs: 0, sizeBytes: 0, rows: 0 };
}
