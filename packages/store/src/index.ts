export { Store } from './store.ts';
export type { Snapshot, StoreOptions, StoreStatus } from './store.ts';
export type { BatchId, BlockEntry, QuarantinedEntry } from './catalog/block-entry.ts';
export type { Catalog, CatalogTotals, CatalogView, CommitResult, LevelTotals } from './catalog/catalog.ts';
export { MAX_SEQ } from './catalog/sql-catalog.ts';
export type { CatalogConfig } from './catalog/open-catalog.ts';
export { SCHEMA_VERSION } from './catalog/migrations.ts';
export type { ObjectStat, ObjectStore, ObjectStoreConfig } from './objects/object-store.ts';
export type { TaskStatus } from './maintenance/maintenance-loop.ts';
