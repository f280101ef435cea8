/** Tries an operation that failed, as cheaply as it can be tried. Its outcome is noted by whoever watches the parts. */
import { randomBytes } from 'node:crypto';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { StoreOperation } from './store-health.ts';

const PREFIX = 'probes/';
/** About a segment: a disk may have room for a few bytes and none for that. */
const PROBE_BYTES = 64 << 10;
const PROBE = new Uint8Array(PROBE_BYTES).fill(0x2e);
/** Of this process; objects of others that ended before they removed theirs are removed with it. */
const KEY = PREFIX + randomBytes(8).toString('hex');
const MAX_REMOVED = 100;
/** A row of the catalog's notes. */
const NOTE = 'probe';

/** @throws FleetflameError what the operation throws */
export async function probeStore(
  operation: StoreOperation,
  objects: ObjectStore,
  catalog: Catalog,
): Promise<void> {
  switch (operation) {
    case 'put':
      await objects.put(KEY, PROBE);
      for (const key of await objects.list(PREFIX, MAX_REMOVED)) await objects.delete(key);
      return;
    case 'get':
      // There is none, or there is: both are answers.
      await objects.list(PREFIX, 1);
      return;
    case 'commit':
      await catalog.notes.set(NOTE, new Date().toISOString());
      return;
    case 'read':
      await catalog.notes.list(NOTE);
  }
}
