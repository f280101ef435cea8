/** Which engines a store has, and whose they are. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FleetflameError } from '@fleetflame/profile';
import type { CatalogConfig } from './catalog/open-catalog.ts';
import { DirectoryLock } from './directory-lock.ts';
import type { ObjectStoreConfig } from './objects/object-store.ts';

export interface EngineOptions {
  /** As in StoreOptions. */
  readonly dataDir?: string;
  readonly objects?: ObjectStoreConfig;
  readonly catalog?: CatalogConfig;
}

/** A directory and a SQLite file belong to the one process that holds the lock of `dataDir`. */
export function chooseEngines({ dataDir, objects, catalog }: EngineOptions): {
  readonly objects: ObjectStoreConfig;
  readonly catalog: CatalogConfig;
} {
  if (dataDir !== undefined) {
    return {
      objects: objects ?? { engine: 'directory', root: join(dataDir, 'objects') },
      catalog: catalog ?? { engine: 'sqlite', path: join(dataDir, 'catalog.db') },
    };
  }
  if (objects?.engine === 's3' && catalog !== undefined && catalog.engine !== 'sqlite') {
    return { objects, catalog };
  }
  throw new FleetflameError(
    'unsupported',
    'A directory or a SQLite file belongs to one process: give the store a data directory, or objects in S3 and a catalog in PostgreSQL.',
  );
}

/** Takes the directories that this machine's engines live in for this process; returns what gives them back. */
export async function lockDirectories(
  dataDir: string | undefined,
  catalog: CatalogConfig,
): Promise<() => void> {
  const directories = new Set([
    ...(dataDir === undefined ? [] : [dataDir]),
    ...(catalog.engine === 'sqlite' ? [dirname(catalog.path)] : []),
  ]);
  const locks: DirectoryLock[] = [];
  const release = (): void => {
    for (const lock of locks) lock.release();
  };
  try {
    for (const directory of directories) {
      await makeDirectory(directory);
      locks.push(DirectoryLock.take(directory));
    }
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o750 });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new FleetflameError('unavailable', `The data directory ${directory} cannot be used: ${detail}`, {
      cause: error,
    });
  }
}
