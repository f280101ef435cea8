/**
 * Compares what lies in object storage with what the catalog says (I3).
 *
 *   object without a row   left by a crash between object and row. After a grace it gets a tombstone
 *                          row, so that no late writer can commit it, and is then removed like any
 *                          deleted block's object.
 *   row without an object  must not happen. The block is quarantined, so that answers say what is missing.
 */
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import { BLOCK_PREFIX } from '../block-id.ts';
import { WHOLE, type BlockEntry } from '../catalog/block-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { StoreMetrics } from '../store-metrics.ts';

/** Far beyond what any write takes from object to row, and beyond clocks that disagree by minutes. */
export const ORPHAN_GRACE_MS = 3_600_000;
/** Keys and rows that are compared at a time. */
const PAGE_ROWS = 1000;

export interface SweeperOptions {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly metrics: StoreMetrics;
  readonly log: Logger;
  readonly quarantine: (entry: BlockEntry, reason: string, finder: 'sweep') => Promise<void>;
}

export interface SweepResult {
  readonly orphans: number;
  readonly missing: number;
}

export async function sweep(options: SweeperOptions, nowMs: number): Promise<SweepResult> {
  const keys = await options.objects.list(BLOCK_PREFIX);
  return { orphans: await sweepOrphans(options, keys, nowMs), missing: await findMissing(options, keys) };
}

async function sweepOrphans(
  { objects, catalog, metrics, log }: SweeperOptions,
  keys: readonly string[],
  nowMs: number,
): Promise<number> {
  let orphans = 0;
  for (let start = 0; start < keys.length; start += PAGE_ROWS) {
    const page = keys.slice(start, start + PAGE_ROWS);
    const states = await catalog.keyStates(page);
    for (const key of page) {
      if (states.has(key)) continue;
      const writtenMs = await modifiedMs(objects, key);
      // Whoever is still writing it after the grace, in whatever process, finds its id taken.
      if (writtenMs === undefined || nowMs - writtenMs < ORPHAN_GRACE_MS) continue;
      if ((await catalog.settle(orphanEntry(key), nowMs)) === 'committed') continue;
      orphans++;
      metrics.swept.inc({ what: 'orphan' });
      log.info({ key }, 'found an object without a row: it will be removed');
    }
  }
  return orphans;
}

async function findMissing(
  { objects, catalog, metrics, quarantine }: SweeperOptions,
  keys: readonly string[],
): Promise<number> {
  const present = new Set(keys);
  let missing = 0;
  let page: BlockEntry[] = [];
  do {
    page = await catalog.liveAfter(page.at(-1)?.id ?? '', PAGE_ROWS);
    for (const entry of page) {
      // What is not in the list may have been written since.
      if (present.has(entry.key) || (await modifiedMs(objects, entry.key)) !== undefined) continue;
      missing++;
      metrics.swept.inc({ what: 'missing' });
      await quarantine(entry, 'its object is not in object storage', 'sweep');
    }
  } while (page.length === PAGE_ROWS);
  return missing;
}

/** Undefined: it is not there. */
async function modifiedMs(objects: ObjectStore, key: string): Promise<number | undefined> {
  try {
    return (await objects.stat(key)).modifiedMs;
  } catch (error) {
    if (error instanceof FleetflameError && error.code === 'not_found') return undefined;
    throw error;
  }
}

function orphanEntry(key: string): BlockEntry {
  const id = key.slice(BLOCK_PREFIX.length);
  return { ...WHOLE, id, key, level: 0, timeMinMs: 0, timeMaxMs: 0, sizeBytes: 0, rows: 0 };
}
