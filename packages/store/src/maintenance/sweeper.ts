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
import type { ObjectStat, ObjectStore } from '../objects/object-store.ts';
import type { StoreMetrics } from '../store-metrics.ts';
import type { Due, Governor } from './governor.ts';
import type { ClockCheck } from './check-clocks.ts';

/** Far beyond what any write takes from object to row, and beyond clocks that disagree by minutes. */
export const ORPHAN_GRACE_MS = 3_600_000;
/** Keys and rows that are compared at a time. */
const PAGE_ROWS = 1000;

export interface SweeperOptions {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly metrics: StoreMetrics;
  readonly log: Logger;
  readonly governor: Governor;
  readonly otherClocks: () => ClockCheck;
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

/** An object without a row that is older than any write can be. */
interface Orphan {
  readonly key: string;
  readonly sizeBytes: number;
  readonly writtenMs: number;
}

async function sweepOrphans(
  options: SweeperOptions,
  keys: readonly string[],
  nowMs: number,
): Promise<number> {
  const { catalog, metrics, log, governor, otherClocks } = options;
  const found = await findOrphans(options, keys, nowMs);
  const reason = 'the catalog knows none of these objects: it may be an old one';
  const { doubt } = otherClocks();
  if (!(await governor.allows('sweep', dueOf(found), nowMs, { steady: false, reason, doubt }))) return 0;
  let orphans = 0;
  for (const { key } of found) {
    // Whoever is still writing it after the grace, in whatever process, finds its id taken.
    if ((await catalog.settle(orphanEntry(key), nowMs)) === 'committed') continue;
    orphans++;
    metrics.swept.inc({ what: 'orphan' });
    log.info({ key }, 'found an object without a row: it will be removed');
  }
  await governor.settled('sweep');
  return orphans;
}

async function findOrphans(
  { objects, catalog }: SweeperOptions,
  keys: readonly string[],
  nowMs: number,
): Promise<Orphan[]> {
  const orphans: Orphan[] = [];
  for (let start = 0; start < keys.length; start += PAGE_ROWS) {
    const page = keys.slice(start, start + PAGE_ROWS);
    const states = await catalog.keyStates(page);
    for (const key of page) {
      if (states.has(key)) continue;
      const stat = await statOf(objects, key);
      if (stat === undefined) continue;
      if (nowMs - stat.modifiedMs < ORPHAN_GRACE_MS) continue;
      orphans.push({ key, sizeBytes: stat.sizeBytes, writtenMs: stat.modifiedMs });
    }
  }
  return orphans;
}

function dueOf(orphans: readonly Orphan[]): Due {
  const times = orphans.map(({ writtenMs }) => writtenMs);
  return {
    blocks: orphans.length,
    bytes: orphans.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    fromMs: times.reduce((least, ms) => Math.min(least, ms), times[0] ?? 0),
    toMs: times.reduce((most, ms) => Math.max(most, ms), times[0] ?? 0),
    cutsMs: {},
  };
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
      if (present.has(entry.key) || (await statOf(objects, entry.key)) !== undefined) continue;
      missing++;
      metrics.swept.inc({ what: 'missing' });
      await quarantine(entry, 'its object is not in object storage', 'sweep');
    }
  } while (page.length === PAGE_ROWS);
  return missing;
}

/** Undefined: it is not there. */
async function statOf(objects: ObjectStore, key: string): Promise<ObjectStat | undefined> {
  try {
    return await objects.stat(key);
  } catch (error) {
    if (error instanceof FleetflameError && error.code === 'not_found') return undefined;
    throw error;
  }
}

function orphanEntry(key: string): BlockEntry {
  const id = key.slice(BLOCK_PREFIX.length);
  return { ...WHOLE, id, key, level: 0, timeMinMs: 0, timeMaxMs: 0, sizeBytes: 0, rows: 0 };
}
