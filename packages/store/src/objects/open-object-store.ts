import { DirectoryObjectStore } from './directory-object-store.ts';
import type { RecordObjectEvent } from './object-events.ts';
import type { ObjectStore, ObjectStoreConfig } from './object-store.ts';

/** For the owner of a store: a directory is created and cleaned, a bucket is looked at. */
export async function createObjectStore(
  config: ObjectStoreConfig,
  record: RecordObjectEvent,
): Promise<ObjectStore> {
  if (config.engine === 'directory') return await DirectoryObjectStore.create(config.root);
  // The client takes 0.2 s to load: only who needs it pays.
  const { S3ObjectStore } = await import('./s3/s3-object-store.ts');
  const store = new S3ObjectStore(config, record);
  try {
    await store.check();
  } catch (error) {
    store.close();
    throw error;
  }
  return store;
}

/** For readers and for writers that share a store which its owner has prepared. */
export async function openObjectStore(
  config: ObjectStoreConfig,
  record: RecordObjectEvent,
): Promise<ObjectStore> {
  if (config.engine === 'directory') return new DirectoryObjectStore(config.root);
  const { S3ObjectStore } = await import('./s3/s3-object-store.ts');
  return new S3ObjectStore(config, record);
}
