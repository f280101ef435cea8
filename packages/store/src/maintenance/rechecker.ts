/**
 * Looks again at blocks that were set aside (I7). What reaches a reader broken may have been broken on its way, or been
 * away for a while: a block that can be read whole counts again, with all that is in it.
 */
import { decodeBlock, FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { StoreMetrics } from '../store-metrics.ts';

/** What was not readable for so long is damaged: it stays aside until somebody looks. */
const GIVE_UP_MS = 86_400_000;
/** Blocks looked at in one run, the last ones first: each is read and decoded whole. */
const RECHECK_LIMIT = 32;

export interface RecheckerOptions {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly metrics: StoreMetrics;
  readonly log: Logger;
}

/** Returns how many blocks count again. */
export async function recheck(
  { objects, catalog, metrics, log }: RecheckerOptions,
  nowMs: number,
): Promise<number> {
  let released = 0;
  for (const { id, key, reason } of await catalog.quarantinedSince(nowMs - GIVE_UP_MS, RECHECK_LIMIT)) {
    try {
      decodeBlock(await objects.get(key));
    } catch (error) {
      if (!(error instanceof FleetflameError)) throw error;
      continue;
    }
    if (!(await catalog.release(id))) continue;
    released++;
    metrics.released.inc();
    log.warn({ block: id, reason }, 'a block that had been set aside can be read: it counts again');
  }
  return released;
}
