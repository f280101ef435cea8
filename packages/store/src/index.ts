export { createBlocks, MAX_PART_BYTES, type Blocks, type BlocksOptions } from './blocks/create-blocks.ts';
export { adoptStore, type Adoption } from './adoption/adopt-store.ts';
export {
  withOfflineObjects,
  withOfflineStore,
  type OfflineObjects,
  type OfflineStore,
} from './offline-store.ts';
export type { CopyOptions } from './copies/catalog-copier.ts';
export { listCopies, readManifest, type CatalogCopy } from './copies/catalog-copy.ts';
export { ageText } from './copies/name-remedies.ts';
export { restoreCatalog, type Restoration } from './copies/restore-catalog.ts';
export { adviseBackup, CATALOG_TABLES, type BackupAdvice } from './copies/advise-backup.ts';
export { Store } from './store.ts';
export { forThreads, StoreReader, type ReaderEvent } from './reading/store-reader.ts';
export type { EncodedBlock } from './seal-block.ts';
export type { OperationHealth, StoreOperation } from './health/store-health.ts';
export type { Snapshot, SnapshotRange, StoreOptions, StoreStatus } from './store.ts';
export { DEFAULT_TENANT } from './catalog/block-entry.ts';
export type { BatchId, BlockEntry, QuarantinedEntry } from './catalog/block-entry.ts';
export type { Catalog, CatalogTotals, CatalogView, CommitResult, LevelTotals } from './catalog/catalog.ts';
export { ACCEPTED_FOR_MS } from './catalog/catalog.ts';
export { sameContent } from './catalog/known-batches.ts';
export { MAX_SEQ } from './catalog/sql-catalog.ts';
export type { CatalogConfig } from './catalog/open-catalog.ts';
export { POSTGRES_LIMITS, type PostgresLimits } from './catalog/postgres.ts';
export { SCHEMA_VERSION } from './catalog/migrations.ts';
export type { ObjectStat, ObjectStore, ObjectStoreConfig } from './objects/object-store.ts';
export { createObjectStore } from './objects/open-object-store.ts';
export { S3_LIMITS, type S3Limits } from './objects/s3/s3-limits.ts';
export type { S3Credentials, S3ObjectStoreConfig } from './objects/s3/s3-config.ts';
export type { TaskStatus } from './maintenance/maintenance-loop.ts';
export { createJobs, type Jobs } from './maintenance/create-jobs.ts';
export { DROPPED_LABELS, type RollupOptions } from './compaction/rollups.ts';
export type { BlockNeeds, RangeGap, SelectedBlock, Tier, TimeRange } from './select-blocks.ts';
export { ERASE_LIMITS, type EraseLimits } from './maintenance/eraser.ts';
export { MAINTENANCE_LIMITS, type MaintenanceLimits } from './maintenance/maintenance-limits.ts';
