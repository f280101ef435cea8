/**
 * Puts a copy of a SQLite catalog in place of a lost or damaged one, completed by what the objects know that is newer
 * than it. The store must not be running. All is done on a file beside the catalog, which takes its name in the end:
 *
 *   CATALOG.restoring        the copy; it is checked, opened and completed
 *   CATALOG.replaced-TIME    what was there before, with its -wal and -shm
 *
 * A crash leaves the old catalog, or none, or the new one, never a mixture: without one no server starts, and the same
 * again does all of it.
 */
import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import { adoptStore, type Adoption } from '../adoption/adopt-store.ts';
import { openCatalog } from '../catalog/open-catalog.ts';
import { ID_NOTE } from '../identity/id-note.ts';
import { ID_KEY, readStoreText } from '../identity/store-identity.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { copyTimeMs, damaged, listCopies, readManifest, type CatalogCopy } from './catalog-copy.ts';
import { readCopy } from './read-copy.ts';

/** SQLite's files beside a database: its log, and the index of that. */
const COMPANIONS = ['-wal', '-shm'] as const;

export interface RestoreOptions {
  readonly objects: ObjectStore;
  /** The database file, there or not. */
  readonly path: string;
  /** A copy by its name; undefined: the newest. */
  readonly name: string | undefined;
  /** The newest that was begun until then, Unix ms; undefined: any. */
  readonly atMs: number | undefined;
  /** Unix ms. */
  readonly nowMs: number;
  /** False: only what would be done. */
  readonly apply: boolean;
  readonly onProgress?: (read: number, of: number) => void;
}

export interface Restoration {
  readonly copy: CatalogCopy;
  /** What was adopted besides. */
  readonly adoption: Adoption;
  /** Where the file is that was there before; undefined: there was none. */
  readonly aside: string | undefined;
}

/**
 * Throws not_found where there is no such copy, unsupported where it is of another store or of a newer version,
 * corrupt_data where it is damaged.
 */
export async function restoreCatalog(options: RestoreOptions): Promise<Restoration> {
  const { objects, path, nowMs, apply } = options;
  const copy = await chooseCopy(options);
  const storeId = await readStoreText(objects, ID_KEY);
  if (storeId !== undefined && storeId !== copy.storeId) throw otherStore(copy, storeId);
  const restoring = `${path}.restoring`;
  await removeDatabase(restoring);
  try {
    await readCopy(objects, copy, restoring);
    const adoption = await complete(options, copy, restoring);
    const aside = apply ? await replace(path, restoring, nowMs) : undefined;
    return { copy, adoption, aside };
  } finally {
    await removeDatabase(restoring);
  }
}

async function chooseCopy({ objects, name, atMs }: RestoreOptions): Promise<CatalogCopy> {
  const names = await listCopies(objects);
  const chosen = names.find((one) =>
    name === undefined ? atMs === undefined || (copyTimeMs(one) ?? 0) <= atMs : one === name,
  );
  if (chosen !== undefined) return await readManifest(objects, chosen);
  const [newest] = names;
  const there =
    newest === undefined
      ? 'there is none in object storage: make the catalog anew from what the objects tell (fleetflame store adopt)'
      : `there are ${names.length}, from ${String(names.at(-1))} to ${newest} (--list shows them)`;
  throw new FleetflameError(
    'not_found',
    name === undefined && atMs !== undefined
      ? `No copy of the catalog is from ${new Date(atMs).toISOString()} or before: ${there}.`
      : `There is no copy${name === undefined ? '' : ` ${name}`} of the catalog: ${there}.`,
  );
}

/** Opens the copy, which checks it, and takes in what is newer. */
async function complete(options: RestoreOptions, copy: CatalogCopy, path: string): Promise<Adoption> {
  const { objects, nowMs, apply, onProgress } = options;
  const catalog = await openCatalog({ engine: 'sqlite', path });
  try {
    const id = (await catalog.notes.list(ID_NOTE)).get(ID_NOTE);
    if (id !== copy.storeId) throw damaged(copy.name, 'its file is of another store than it says');
    return await adoptStore({
      objects,
      catalog,
      nowMs,
      apply,
      isShared: false,
      ...(onProgress === undefined ? {} : { onProgress }),
    });
  } finally {
    await catalog.close();
  }
}

/** Returns where the old file is now. */
async function replace(path: string, restoring: string, nowMs: number): Promise<string | undefined> {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '');
  const aside = `${path}.replaced-${time}`;
  const wasThere = existsSync(path);
  // The file before its log: a log without its file is nothing, a file without its log would be an older catalog.
  for (const suffix of ['', ...COMPANIONS]) {
    if (existsSync(path + suffix)) await rename(path + suffix, aside + suffix);
  }
  await sync(restoring);
  await rename(restoring, path);
  await sync(dirname(path));
  return wasThere ? aside : undefined;
}

async function removeDatabase(path: string): Promise<void> {
  for (const suffix of ['', ...COMPANIONS]) await rm(path + suffix, { force: true });
}

async function sync(path: string): Promise<void> {
  await using handle = await open(path);
  await handle.sync();
}

function otherStore(copy: CatalogCopy, storeId: string): FleetflameError {
  return new FleetflameError(
    'unsupported',
    `The copy ${copy.name} is of store ${copy.storeId}, object storage is store ${storeId}: this copy is not of this store.`,
  );
}
