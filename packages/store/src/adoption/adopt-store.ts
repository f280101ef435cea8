/**
 * Puts what the objects tell of themselves into a catalog that was lost, or is older than they are. The store must not be
 * running. Without `apply` nothing is changed.
 */
import { randomBytes } from 'node:crypto';
import { FleetflameError, readFooter } from '@fleetflame/profile';
import type { Footer } from '@fleetflame/proto/block/v1/footer';
import { BLOCK_PREFIX } from '../block-id.ts';
import { WHOLE, type BlockEntry } from '../catalog/block-entry.ts';
import type { AdoptedBatch, Catalog, KeyState } from '../catalog/catalog.ts';
import { ID_KEY, USED_KEY, readStoreIds } from '../identity/store-identity.ts';
import { ObjectSource } from '../reading/object-source.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { decodeOrigin, type Origin } from '../origin/origin.ts';
import { planAdoption, type AdoptionPlan, type FoundBlock } from './plan-adoption.ts';

/** Footers that are read at once: they are small, and a store may be far away. */
const FOOTERS_AT_ONCE = 16;
const PAGE_KEYS = 1000;

export interface Adoption {
  /** Objects of blocks that were found. */
  readonly objects: number;
  readonly plan: AdoptionPlan;
  /** Of `plan.live`, what the catalog does not have. */
  readonly added: readonly BlockEntry[];
  readonly batches: number;
  /** Objects that cannot be read: they stay where they are, and are not taken over. */
  readonly unreadable: readonly { readonly key: string; readonly reason: string }[];
  /** Whose store it is afterwards. */
  readonly storeId: string;
}

export interface AdoptOptions {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  /** Unix ms. */
  readonly nowMs: number;
  /** False: only what would be done. */
  readonly apply: boolean;
  readonly onProgress?: (read: number, of: number) => void;
}

export async function adoptStore(options: AdoptOptions): Promise<Adoption> {
  const { objects, catalog, nowMs, apply } = options;
  const ids = await readStoreIds(objects, catalog);
  if (
    ids.objects !== undefined &&
    ids.catalog !== undefined &&
    ids.objects !== ids.catalog &&
    !(await catalog.isEmpty())
  ) {
    throw new FleetflameError(
      'unsupported',
      `The catalog is of store ${ids.catalog}, and has its blocks; object storage is store ${ids.objects}. Name the catalog of this ` +
        'store, or an empty one.',
    );
  }
  const keys = await objects.list(BLOCK_PREFIX);
  const states = await statesOf(catalog, keys);
  const { found, unreadable } = await readBlocks(options, keys, states);
  const plan = planAdoption(
    found,
    unreadable.map(({ key }) => key.slice(BLOCK_PREFIX.length)),
  );
  const added = plan.live.filter(({ key }) => !isThere(states.get(key)));
  const storeId = ids.objects ?? ids.catalog ?? randomBytes(12).toString('hex');
  const batches = found.reduce((sum, { origin }) => sum + (origin?.batches.size ?? 0), 0);
  if (apply) {
    const replaced = plan.replaced.filter(({ key }) => states.get(key) !== 'removed');
    await catalog.adopt(
      { live: added, replaced, rolledUp: [...plan.rolledUp], batches: batchesOf(found), storeId },
      nowMs,
    );
    await putOnce(objects, ID_KEY, storeId);
    if (plan.live.length > 0) await putOnce(objects, USED_KEY, storeId);
  }
  return { objects: keys.length, plan, added, batches, unreadable, storeId };
}

function isThere(state: KeyState | undefined): boolean {
  return state === 'live' || state === 'quarantined';
}

async function statesOf(catalog: Catalog, keys: readonly string[]): Promise<Map<string, KeyState>> {
  const states = new Map<string, KeyState>();
  for (let start = 0; start < keys.length; start += PAGE_KEYS) {
    for (const [key, state] of await catalog.keyStates(keys.slice(start, start + PAGE_KEYS)))
      states.set(key, state);
  }
  return states;
}

const byKey = (a: string, b: string): number => (a < b ? -1 : 1);

async function readBlocks(
  { objects, onProgress }: AdoptOptions,
  keys: readonly string[],
  states: ReadonlyMap<string, KeyState>,
): Promise<{ found: FoundBlock[]; unreadable: { key: string; reason: string }[] }> {
  const found: FoundBlock[] = [];
  const unreadable: { key: string; reason: string }[] = [];
  let next = 0;
  let read = 0;
  const reader = async (): Promise<void> => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) {
      try {
        const { sizeBytes } = await objects.stat(key);
        const footer = await readFooter(new ObjectSource(objects, key, sizeBytes));
        found.push(foundBlock(key, sizeBytes, footer, isThere(states.get(key))));
      } catch (error) {
        if (!(error instanceof FleetflameError) || error.code === 'unavailable') throw error;
        unreadable.push({ key, reason: error.message });
      }
      onProgress?.(++read, keys.length);
    }
  };
  await Promise.all(Array.from({ length: FOOTERS_AT_ONCE }, reader));
  return {
    found: found.sort((a, b) => byKey(a.entry.key, b.entry.key)),
    unreadable: unreadable.sort((a, b) => byKey(a.key, b.key)),
  };
}

function foundBlock(key: string, sizeBytes: number, footer: Footer, isKnown: boolean): FoundBlock {
  const origin: Origin | undefined = decodeOrigin(footer);
  const rowsOf = (table: string): number =>
    Number(footer.tables.find(({ name }) => name === table)?.rows ?? 0n);
  const timeMinMs = Number(footer.timeStartMs);
  return {
    isKnown,
    origin,
    datasets: footer.datasets.map((dataset) => ({
      name: JSON.stringify([dataset.profileType, dataset.serviceName]),
      total: dataset.total,
      timeMinMs: Number(dataset.timeMinMs),
      timeMaxMs: Number(dataset.timeMaxMs),
    })),
    entry: {
      ...WHOLE,
      level: 0,
      ...origin?.place,
      id: key.slice(BLOCK_PREFIX.length),
      key,
      timeMinMs,
      timeMaxMs: Math.max(timeMinMs, Number(footer.timeEndMs) - 1),
      sizeBytes,
      rows: rowsOf('samples'),
      points: rowsOf('points'),
    },
  };
}

/** Of all blocks, also of those that were replaced: a late repeat is a repeat wherever the batch is now. */
function* batchesOf(found: readonly FoundBlock[]): Generator<AdoptedBatch> {
  for (const { entry, origin } of found) {
    for (const batch of origin?.batches.each() ?? []) yield { ...batch, blockId: entry.id };
  }
}

async function putOnce(objects: ObjectStore, key: string, text: string): Promise<void> {
  try {
    await objects.put(key, new TextEncoder().encode(text));
  } catch (error) {
    // It is there: objects are written once.
    if (!(error instanceof FleetflameError) || error.code !== 'invalid_input') throw error;
  }
}
