/** What a database in PostgreSQL holds of a catalog, without changing it: opening one as a catalog would make its tables. */
import { FleetflameError } from '@fleetflame/profile';
import { sql } from 'kysely';
import { ID_NOTE } from '../identity/id-note.ts';
import { openPostgres, type PostgresCatalogConfig } from './postgres.ts';

/** SQLSTATE of a table that is not there. */
const NO_TABLE = '42P01';

export interface FoundCatalog {
  /** Why it cannot be asked; undefined: it was. */
  readonly problem: string | undefined;
  /** Undefined: it has no catalog in it, or one without an id. */
  readonly storeId: string | undefined;
  /** Undefined: it has no catalog in it. */
  readonly schemaVersion: number | undefined;
  /** Live blocks. */
  readonly blocks: number;
  /** When the last of its blocks was committed, Unix ms; 0: it has none. */
  readonly newestCommitMs: number;
}

const NOTHING = { storeId: undefined, schemaVersion: undefined, blocks: 0, newestCommitMs: 0 };

export async function inspectPostgres(config: PostgresCatalogConfig): Promise<FoundCatalog> {
  const { db } = openPostgres(config);
  try {
    const meta = await db.selectFrom('meta').selectAll().execute();
    const notes = new Map(meta.map(({ name, value }) => [name, value]));
    const { rows } = await sql<{ live: number; newest: number | null }>`
      select count(*) filter (where deleted_ms is null) as live, max(created_ms) as newest from blocks`.execute(
      db,
    );
    return {
      problem: undefined,
      storeId: notes.get(ID_NOTE),
      schemaVersion: Number(notes.get('schema_version')),
      blocks: rows[0]?.live ?? 0,
      newestCommitMs: rows[0]?.newest ?? 0,
    };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === NO_TABLE)
      return { ...NOTHING, problem: undefined };
    if (error instanceof FleetflameError) throw error;
    return { ...NOTHING, problem: error instanceof Error ? error.message : String(error) };
  } finally {
    await db.destroy();
  }
}
