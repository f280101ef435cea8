/**
 * Compares what lies in object storage with what the catalog says (I3).
 *
 *   object without a row   left by a crash between object and row, or written when the catalog was another one. Where its
 *                          footer proves that nothing would be missing without it (judge-orphan.ts), it gets a tombstone
 *                          row after a grace, so that no late writer can commit it, and is then removed like any
 *                          deleted block's object. Else it is held back until somebody says that it may go.
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
import { pruneErased } from './erased-mark.ts';
import { readExpiryClock } from './expiry-clock.ts';
import { judgeOrphan, type Orphan } from './judge-orphan.ts';

/** Far beyond what any write takes from object to row, and beyond clocks that disagree by minutes. */
export const ORPHAN_GRACE_MS = 3_600_000;
/** Keys and rows that are compared at a time. */
const PAGE_ROWS = 1000;
/** Objects without a row whose footers one sweep reads; the next one goes on behind them. */
const JUDGED = 2000;
/** Footers read at once: they are small, and a store may be far away. */
const JUDGED_AT_ONCE = 8;

export interface SweeperOptions {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly metrics: StoreMetrics;
  readonly log: Logger;
  readonly governor: Governor;
  readonly otherClocks: () => ClockCheck;
  /** How long blocks are kept, by resolution. */
  readonly retentionMs: ReadonlyMap<number, number>;
  /** Where the last sweep of this process came to. */
  readonly cursor: SweepCursor;
  readonly quarantine: (entry: BlockEntry, reason: string, finder: 'sweep') => Promise<void>;
}

/** Of objects without a row: those with later keys are judged next. */
export interface SweepCursor {
  key: string;
}

export interface SweepResult {
  readonly orphans: number;
  readonly missing: number;
}

export async function sweep(options: SweeperOptions, nowMs: number): Promise<SweepResult> {
  const keys = await options.objects.list(BLOCK_PREFIX);
  const orphans = await sweepOrphans(options, keys, nowMs);
  await pruneErased(options.objects, new Set(keys), nowMs);
  return { orphans, missing: await findMissing(options, keys) };
}

async function sweepOrphans(
  options: SweeperOptions,
  keys: readonly string[],
  nowMs: number,
): Promise<number> {
  const { governor, otherClocks } = options;
  const found = await findOrphans(options, keys, nowMs);
  const { doubt } = otherClocks();
  // Whose clock is in doubt does not know what is old.
  const proven = doubt === undefined ? await judge(options, found, new Set(keys), nowMs) : new Set<Orphan>();
  const swept = await condemn(options, [...proven], nowMs);
  const kept = found.filter((orphan) => !proven.has(orphan));
  const reason =
    'the catalog knows none of these objects, and nothing proves that what they hold is elsewhere: it may be an old one ' +
    '(with the servers stopped, fleetflame store adopt takes them over)';
  const allowed = await governor.allows('sweep', dueOf(kept), nowMs, {
    steady: false,
    share: 0,
    reason,
    doubt,
  });
  if (!allowed) return swept;
  const more = await condemn(options, kept, nowMs);
  await governor.settled('sweep');
  return swept + more;
}

/** Those of which nothing would be missing. */
async function judge(
  { objects, catalog, retentionMs, cursor, log }: SweeperOptions,
  found: readonly Orphan[],
  present: ReadonlySet<string>,
  nowMs: number,
): Promise<Set<Orphan>> {
  const past = await readExpiryClock(catalog, retentionMs, nowMs);
  const later = found.filter(({ key }) => key > cursor.key);
  const looked = [...later, ...found.filter(({ key }) => key <= cursor.key)].slice(0, JUDGED);
  const proven = new Set<Orphan>();
  const all = looked.values();
  const work = async (): Promise<void> => {
    for (const orphan of all) {
      const verdict = await judgeOrphan({ objects, catalog, present, past, retentionMs }, orphan);
      if (verdict === 'unproven') continue;
      proven.add(orphan);
      log.info({ key: orphan.key, verdict }, 'found an object without a row: it will be removed');
    }
  };
  await Promise.all(Array.from({ length: JUDGED_AT_ONCE }, work));
  cursor.key = looked.at(-1)?.key ?? '';
  return proven;
}

/** Returns how many have no row but a tombstone now. */
async function condemn(
  { catalog, metrics, log }: SweeperOptions,
  orphans: readonly Orphan[],
  nowMs: number,
): Promise<number> {
  let condemned = 0;
  for (const { key } of orphans) {
    // Whoever is still writing it after the grace, in whatever process, finds its id taken.
    if ((await catalog.settle(orphanEntry(key), nowMs)) === 'committed') continue;
    condemned++;
    metrics.swept.inc({ what: 'orphan' });
    log.debug({ key }, 'an object without a row got a tombstone');
  }
  return condemned;
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
