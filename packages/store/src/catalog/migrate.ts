/** Brings a catalog to SCHEMA_VERSION, one transaction per step, and refuses what it does not know. */
import { FleetflameError } from '@fleetflame/profile';
import { sql, type Kysely } from 'kysely';
import { MIGRATIONS, SCHEMA_VERSION } from './migrations.ts';
import type { Tables } from './tables.ts';

const VERSION = 'schema_version';

/** Returns the version that was found; 0 is a new catalog. */
export async function migrate(db: Kysely<Tables>): Promise<number> {
  await sql`create table if not exists meta (name text primary key, value text not null)`.execute(db);
  const found = await readVersion(db);
  if (found > SCHEMA_VERSION) {
    throw new FleetflameError(
      'unsupported',
      `The catalog has schema version ${found}, this Fleetflame knows versions up to ${SCHEMA_VERSION}: ` +
        `it was written by a newer one; run that, or point --data at another directory.`,
    );
  }
  for (let version = found; version < SCHEMA_VERSION; version++) {
    await db.transaction().execute(async (tx) => {
      for (const statement of MIGRATIONS[version] ?? []) await sql.raw(statement).execute(tx);
      await tx.deleteFrom('meta').where('name', '=', VERSION).execute();
      await tx
        .insertInto('meta')
        .values({ name: VERSION, value: String(version + 1) })
        .execute();
    });
  }
  return found;
}

async function readVersion(db: Kysely<Tables>): Promise<number> {
  const row = await db.selectFrom('meta').select('value').where('name', '=', VERSION).executeTakeFirst();
  if (row === undefined) return 0;
  const version = Number(row.value);
  if (!Number.isInteger(version) || version < 1) {
    throw new FleetflameError(
      'corrupt_data',
      `The catalog's schema version is ${JSON.stringify(row.value)}, which is no version: restore the catalog from a copy.`,
    );
  }
  return version;
}
