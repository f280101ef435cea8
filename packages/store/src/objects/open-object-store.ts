import { DirectoryObjectStore } from './directory-object-store.ts';
import type { ObjectStore, ObjectStoreConfig } from './object-store.ts';

/** For readers and for writers that share a store which its owner has prepared. */
export function openObjectStore(config: ObjectStoreConfig): ObjectStore {
  return new DirectoryObjectStore(config.root);
}
