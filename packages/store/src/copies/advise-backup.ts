/** Which backup of a catalog in PostgreSQL is to be restored: its backups are that database's own. */
import { BLOCK_PREFIX, blockCreatedMs } from '../block-id.ts';
import { inspectPostgres, type FoundCatalog } from '../catalog/inspect-postgres.ts';
import { SCHEMA_VERSION } from '../catalog/migrations.ts';
import type { PostgresCatalogConfig } from '../catalog/postgres.ts';
import { ID_KEY, readStoreText } from '../identity/store-identity.ts';
import type { ObjectStore } from '../objects/object-store.ts';

export const CATALOG_TABLES = ['meta', 'blocks', 'batches', 'quarantine', 'jobs'] as const;

export interface BackupAdvice {
  /** What the right backup's note `store_id` says; undefined: object storage carries no id. */
  readonly storeId: string | undefined;
  /** Objects of blocks. */
  readonly objects: number;
  /** When the last of them was written, Unix ms by the catalog's clock then; 0: there are none. */
  readonly newestObjectMs: number;
  /** At most this. */
  readonly schemaVersion: number;
  /** What is in the database now. */
  readonly found: FoundCatalog;
}

export async function adviseBackup(
  objects: ObjectStore,
  config: PostgresCatalogConfig,
): Promise<BackupAdvice> {
  const keys = await objects.list(BLOCK_PREFIX);
  const newestObjectMs = keys.reduce((newest, key) => {
    const ms = blockCreatedMs(key.slice(BLOCK_PREFIX.length));
    return Number.isNaN(ms) ? newest : Math.max(newest, ms);
  }, 0);
  return {
    storeId: await readStoreText(objects, ID_KEY),
    objects: keys.length,
    newestObjectMs,
    schemaVersion: SCHEMA_VERSION,
    found: await inspectPostgres(config),
  };
}
