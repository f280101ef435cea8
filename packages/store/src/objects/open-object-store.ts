import { FleetflameError } from '@fleetflame/profile';
import { DirectoryObjectStore } from './directory-object-store.ts';
import type { ObjectStore, ObjectStoreConfig } from './object-store.ts';

/** For the owner of a store: a directory is created and cleaned. */
export async function createObjectStore(config: ObjectStoreConfig): Promise<ObjectStore> {
  if (config.engine === 'directory') return await DirectoryObjectStore.create(config.root);
  return await openObjectStore(config);
}

/** For readers and for writers that share a store which its owner has prepared. */
export async function openObjectStore(config: ObjectStoreConfig): Promise<ObjectStore> {
  if (config.engine === 'directory') return new DirectoryObjectStore(config.root);
  throw new FleetflameError('unsupported', 'Objects in S3 are not there yet.');
}
