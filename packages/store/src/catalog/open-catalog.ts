import type { Catalog } from './catalog.ts';
import { SqlCatalog } from './sql-catalog.ts';
import { openPostgres, type PostgresCatalogConfig } from './postgres.ts';
import type { OnTransaction } from './transactor.ts';
import { openSqlite } from './sqlite.ts';

/** Plain data; who shares a catalog with other processes must choose an engine that can be shared. */
export type CatalogConfig = SqliteCatalogConfig | PostgresCatalogConfig;

export interface SqliteCatalogConfig {
  readonly engine: 'sqlite';
  /** The database file, in a directory that this process has locked. */
  readonly path: string;
}

/** Throws unavailable when it cannot be opened, unsupported when a newer version wrote it. */
export async function openCatalog(config: CatalogConfig, onTransaction?: OnTransaction): Promise<Catalog> {
  const engine = config.engine === 'sqlite' ? openSqlite(config.path) : openPostgres(config);
  return await SqlCatalog.open(engine, onTransaction);
}
