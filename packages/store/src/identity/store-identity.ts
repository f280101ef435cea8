/**
 * Which store objects and catalog belong to. Either of them alone can be another one by mistake: a catalog file that
 * was lost, a setting that names the wrong bucket. Both carry the same id, written once:
 *
 *   store/id     in object storage, beside the blocks
 *   store_id     a note of the catalog
 *   store/used   in object storage, since the first block was committed: from then on an empty catalog is a lost one
 *
 * The catalog's id comes first and decides between processes that start at the same time; the object is read before
 * it, so that who sees the object sees the note.
 */
import { randomBytes } from 'node:crypto';
import { FleetflameError } from '@fleetflame/profile';
import { BLOCK_PREFIX } from '../block-id.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { ID_NOTE } from './id-note.ts';

export const ID_KEY = 'store/id';
export const USED_KEY = 'store/used';

/** Of a store from before ids: so many of its oldest objects and rows are held against each other. */
const COMPARED = 1000;
/** Others may give the store its id, or first blocks, while this one looks. */
const LOOKS = 4;

const encoder = new TextEncoder();

export interface StoreIdentity {
  readonly id: string;
  /** A block has been committed. */
  markUsed(): Promise<void>;
}

/** What either side says; undefined: it has no id. */
export interface StoreIds {
  readonly objects: string | undefined;
  readonly catalog: string | undefined;
}

/**
 * Throws unsupported when objects and catalog do not belong together; gives a store its id that has none yet. `remedies`:
 * what helps then, in words.
 */
export async function identifyStore(
  objects: ObjectStore,
  catalog: Catalog,
  remedies: () => Promise<string>,
): Promise<StoreIdentity> {
  for (let look = 1; ; look++) {
    const ids = await readStoreIds(objects, catalog);
    const problem = await problemOf(ids, objects, catalog);
    if (problem === undefined) {
      if (ids.objects !== undefined) return await identityOf(ids.objects, objects, catalog);
      await claimStoreId(objects, catalog);
      continue;
    }
    // What changed since it was read was a start of others beside this one.
    const again = await readStoreIds(objects, catalog);
    const same = again.objects === ids.objects && again.catalog === ids.catalog;
    if (same || look === LOOKS) throw notThisStore(again, problem, await remedies());
  }
}

export async function readStoreIds(objects: ObjectStore, catalog: Catalog): Promise<StoreIds> {
  const inObjects = await readStoreText(objects, ID_KEY);
  return { objects: inObjects, catalog: (await catalog.notes.list(ID_NOTE)).get(ID_NOTE) };
}

/** The catalog's id, new where it has none, is the objects' from now on. */
export async function claimStoreId(objects: ObjectStore, catalog: Catalog): Promise<string> {
  const id = await catalog.notes.claim(ID_NOTE, randomBytes(12).toString('hex'));
  try {
    await objects.put(ID_KEY, encoder.encode(id));
  } catch (error) {
    // Another catalog was faster: the next look says so.
    if (!(error instanceof FleetflameError) || error.code !== 'invalid_input') throw error;
  }
  return id;
}

async function identityOf(id: string, objects: ObjectStore, catalog: Catalog): Promise<StoreIdentity> {
  let used = (await readStoreText(objects, USED_KEY)) !== undefined;
  const markUsed = async (): Promise<void> => {
    if (used) return;
    await objects.put(USED_KEY, encoder.encode(id));
    used = true;
  };
  if (!used && !(await catalog.isEmpty())) await markUsed();
  return { id, markUsed };
}

/** Why they cannot be used together; undefined: they can. */
async function problemOf(ids: StoreIds, objects: ObjectStore, catalog: Catalog): Promise<string | undefined> {
  if (ids.objects !== undefined) {
    if (ids.objects !== ids.catalog) return 'they are not of one store';
    const [block] = await objects.list(BLOCK_PREFIX, 1);
    // In this order: who has seen the mark would see the row that came before it.
    if (block === undefined || (await readStoreText(objects, USED_KEY)) === undefined) return undefined;
    return (await catalog.isEmpty()) ? 'the catalog is empty, and blocks are there' : undefined;
  }
  const keys = await objects.list(BLOCK_PREFIX, COMPARED);
  if (await catalog.isEmpty()) {
    return keys.length > 0 ? 'the catalog is empty, and blocks are there' : undefined;
  }
  // A store from before ids, or one whose first start ended between its note and its object.
  if ((await catalog.keyStates(keys)).size > 0) return undefined;
  const live = await catalog.liveAfter('', COMPARED);
  if (live.length === 0 && keys.length === 0) return undefined;
  const [first] = live;
  if (first !== undefined && (await objects.list(first.key, 1)).length > 0) return undefined;
  return 'the catalog knows none of the blocks that are there';
}

function notThisStore({ objects, catalog }: StoreIds, problem: string, remedies: string): FleetflameError {
  const inObjects = objects === undefined ? 'carries no store id' : `is store ${objects}`;
  const inCatalog = catalog === undefined ? 'carries no store id' : `is of store ${catalog}`;
  return new FleetflameError(
    'unsupported',
    `Object storage ${inObjects}, the catalog ${inCatalog}: ${problem}. Nothing was changed. If --objects, --catalog or --data ` +
      `name the wrong place, correct them. If the catalog was lost or emptied: ${remedies}`,
  );
}

export async function readStoreText(objects: ObjectStore, key: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await objects.get(key)).trim();
  } catch (error) {
    if (error instanceof FleetflameError && error.code === 'not_found') return undefined;
    throw error;
  }
}
