import type { S3ObjectStoreConfig } from './s3/s3-config.ts';

/**
 * Where bytes rest. Objects are immutable (I4): a key is written once, read any number of times and
 * deleted. `put` returns only when the object would survive a power cut (I1).
 */
export interface ObjectStore {
  /** Durable on return. The same bytes again are accepted; other bytes under a used key are refused. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Throws not_found. */
  get(key: string): Promise<Uint8Array>;
  /** Exactly `length` bytes from `offset`. Throws not_found, or corrupt_data where the object ends before. */
  range(key: string, offset: number, length: number): Promise<Uint8Array>;
  /** Throws not_found. */
  size(key: string): Promise<number>;
  /** Throws not_found. */
  stat(key: string): Promise<ObjectStat>;
  /** Deleting what is not there is no error. */
  delete(key: string): Promise<void>;
  /** Keys that start with `prefix`, ascending; at most the first `limit` of them. */
  list(prefix: string, limit?: number): Promise<string[]>;
  /** How far the storage's own clock is ahead of this host's; undefined: it has none, or has not said. */
  clockAheadMs(): number | undefined;
  /** Gives up connections; nothing may be running. */
  close(): void;
}

export interface ObjectStat {
  readonly sizeBytes: number;
  /** When the object was written, Unix ms by the storage's clock. */
  readonly modifiedMs: number;
}

/** Plain data, so that a worker thread or another process can open the same store. May hold secrets: never log it. */
export type ObjectStoreConfig = DirectoryObjectStoreConfig | S3ObjectStoreConfig;

export interface DirectoryObjectStoreConfig {
  readonly engine: 'directory';
  readonly root: string;
}
