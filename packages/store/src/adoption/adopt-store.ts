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
import { withoutServers } from '../identity/presence.ts';
import { ID_KEY, USED_KEY, readStoreIds } from '../identity/store-identity.ts';
import { listErased } from '../maintenance/erased-mark.ts';
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
  /** Rows of the catalog whose object is not there, and of which nothing says what took their place. */
  readonly missing: readonly BlockEntry[];
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
  /** Several processes may use the catalog: it is changed when none of them does. */
  readonly isShared: boolean;
  readonly onProgress?: (read: number, of: number) => void;
}

/** Throws unavailable where servers use the store, unsupported where the catalog is another store's. */
export async function adoptStore(options: AdoptOptions): Promise<Adoption> {
  const { catalog, apply, isShared } = options;
  const look = (): Promise<Looked> => lookAtStore(options);
  if (!apply) return (await look()).adoption;
  const change = (looked: Looked): Promise<Adoption> => applyAdoption(options, looked);
  return isShared ? await withoutServers(catalog, 'store adopt', look, change) : await change(await look());
}

interface Looked {
  readonly adoption: Adoption;
  /** Blocks whose batches are known from now on. */
  readonly committed: readonly FoundBlock[];
  /** Of `plan.replaced`, those of which the catalog does not know that their object is gone. */
  readonly replaced: readonly BlockEntry[];
  /** Ids of rows whose object is gone, and was replaced. */
  readonly replacedRows: readonly string[];
}

async function lookAtStore(options: AdoptOptions): Promise<Looked> {
  const { objects, catalog } = options;
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
    await listErased(objects),
  );
  const committed = found.filter(({ entry }) => !plan.neverCommitted.has(entry.id));
  const gone = await rowsWithoutObject(catalog, keys, plan);
  return {
    committed,
    replaced: plan.replaced.filter(({ key }) => states.get(key) !== 'removed'),
    replacedRows: gone.replaced,
    adoption: {
      objects: keys.length,
      plan,
      added: plan.live.filter(({ key }) => !isThere(states.get(key))),
      batches: committed.reduce((sum, { origin }) => sum + (origin?.batches.size ?? 0), 0),
      unreadable,
      missing: gone.missing,
      storeId: ids.objects ?? ids.catalog ?? randomBytes(12).toString('hex'),
    },
  };
}

async function applyAdoption(
  { objects, catalog, nowMs }: AdoptOptions,
  { adoption, committed, replaced, replacedRows }: Looked,
): Promise<Adoption> {
  const { plan, added, missing, storeId } = adoption;
  const taken = { live: added, replaced, rolledUp: [...plan.rolledUp], replacedRows, storeId };
  await catalog.adopt({ ...taken, batches: batchesOf(committed) }, nowMs);
  for (const { id } of missing) await catalog.quarantine(id, 'its object is not in object storage', nowMs);
  await putOnce(objects, ID_KEY, storeId);
  if (plan.live.length > 0) await putOnce(objects, USED_KEY, storeId);
  return adoption;
}

function isThere(state: KeyState | undefined): boolean {
  return state === 'live' || state === 'quarantined';
}

/** Live rows of a catalog that is older than the objects: others have taken their place since, or they are missing. */
async function rowsWithoutObject(
  catalog: Catalog,
  keys: readonly string[],
  { replacedIds }: AdoptionPlan,
): Promise<{ replaced: string[]; missing: BlockEntry[] }> {
  const there = new Set(keys);
  const gone = { replaced: new Array<string>(), missing: new Array<BlockEntry>() };
  let page: BlockEntry[] = [];
  do {
    page = await catalog.liveAfter(page.at(-1)?.id ?? '', PAGE_KEYS);
    for (const entry of page) {
      if (there.has(entry.key)) continue;
      if (replacedIds.has(entry.id)) gone.replaced.push(entry.id);
      else gone.missing.push(entry);
    }
  } while (page.length === PAGE_KEYS);
  return gone;
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

/** Also of those that were replaced: a late repeat is a repeat wherever the batch is now. */
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
