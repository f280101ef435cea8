/**
 * Brings a catalog to SCHEMA_VERSION and refuses what it does not know. One process at a time does it,
 * one transaction per step; the others wait and find it done. While it runs, processes of the version
 * before go on using the catalog: steps only add (see migrations.ts).
 */
import { FleetflameError } from '@fleetflame/profile';
import { sql, type Transaction } from 'kysely';
import type { CatalogEngine } from './catalog-engine.ts';
import { MIGRATIONS, SCHEMA_VERSION } from './migrations.ts';
import type { Tables } from './tables.ts';

const VERSION = 'schema_version';

export async function migrate(engine: CatalogEngine): Promise<void> {
  while ((await engine.exclusively((tx) => step(engine, tx))) < SCHEMA_VERSION);
}

/** Returns the version that the catalog has now. */
async function step(engine: CatalogEngine, tx: Transaction<Tables>): Promise<number> {
  await sql
    .raw(engine.render('create table if not exists meta (name text primary key, value text not null)'))
    .execute(tx);
  const found = await readVersion(tx);
  if (found > SCHEMA_VERSION) {
    throw new FleetflameError(
      'unsupported',
      `The catalog has schema version ${found}, this Fleetflame knows versions up to ${SCHEMA_VERSION}: ` +
        `it was written by a newer one; run that, or use another catalog.`,
    );
  }
  if (found === SCHEMA_VERSION) return found;
  for (const statement of MIGRATIONS[found] ?? []) await sql.raw(engine.render(statement)).execute(tx);
  await tx.deleteFrom('meta').where('name', '=', VERSION).execute();
  await tx
    .insertInto('meta')
    .values({ name: VERSION, value: String(found + 1) })
    .execute();
  return found + 1;
}

async function readVersion(tx: Transaction<Tables>): Promise<number> {
  const row = await tx.selectFrom('meta').select('value').where('name', '=', VERSION).executeTakeFirst();
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
