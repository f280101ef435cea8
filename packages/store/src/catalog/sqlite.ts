/**
 * The embedded engine: SQLite through node:sqlite. WAL, so that readers never wait for a writer, and
 * synchronous=FULL, so that a commit has reached the disk when it returns (I1); with WAL's usual
 * NORMAL a power cut could take back commits that were acked.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { FleetflameError } from '@fleetflame/profile';
import { CompiledQuery, Kysely, SqliteDialect, type SqliteDatabase, type Transaction } from 'kysely';
import type { CatalogEngine } from './catalog-engine.ts';
import type { Tables } from './tables.ts';

/** The directory lock keeps other writers away; this covers a person who looks in with a shell. */
const BUSY_TIMEOUT_MS = 5000;
/** The catalog's own are some sixty; lists of parameters make several of one. */
const MAX_STATEMENTS = 256;

export function openSqlite(path: string): CatalogEngine {
  let database;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma trusted_schema = off');
  } catch (error) {
    throw new FleetflameError('unavailable', `The catalog ${path} cannot be opened: ${String(error)}`, {
      cause: error,
    });
  }
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: forKysely(database) }) });
  return {
    name: 'sqlite',
    db,
    render: (statement) => statement,
    exclusively: (steps) => exclusively(db, steps),
    // One process, one connection, one transaction at a time: there is nobody to collide with.
    isRolledBack: () => false,
    isDisconnected: () => false,
    clockMs: () => Promise.resolve(Date.now()),
    checkDurability: () => Promise.resolve(),
  };
}

/** The lock is taken at once: a transaction that only reads first could find another writer before it later. */
async function exclusively<T>(
  db: Kysely<Tables>,
  steps: (tx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  return db.transaction().execute(async (tx) => {
    await tx.executeQuery(CompiledQuery.raw('rollback'));
    await tx.executeQuery(CompiledQuery.raw('begin immediate'));
    return steps(tx);
  });
}

/**
 * kysely's dialect is written for better-sqlite3; the two differ only in how they take parameters. Statements are
 * prepared once: that costs more than running one. Nobody iterates, so none is asked again while it is read.
 */
function forKysely(database: DatabaseSync): SqliteDatabase {
  const prepared = new Map<string, ReturnType<SqliteDatabase['prepare']>>();
  return {
    close: () => database.close(),
    prepare(text) {
      if (text === 'rollback') return rollback(database);
      const known = prepared.get(text);
      const statement = known ?? asKyselys(database.prepare(text));
      // The last ones used stay.
      if (known !== undefined) prepared.delete(text);
      prepared.set(text, statement);
      for (const oldest of prepared.keys()) {
        if (prepared.size <= MAX_STATEMENTS) break;
        prepared.delete(oldest);
      }
      return statement;
    },
  };
}

function asKyselys(statement: StatementSync): ReturnType<SqliteDatabase['prepare']> {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...inputs(parameters)),
    run: (parameters) => statement.run(...inputs(parameters)),
    iterate: (parameters) => statement.iterate(...inputs(parameters)),
  };
}

/**
 * A full or failing disk makes SQLite roll back by itself. Another rollback would then fail, and what people
 * would read is that error and not that the disk is full.
 */
function rollback(database: DatabaseSync): ReturnType<SqliteDatabase['prepare']> {
  return {
    reader: false,
    all: () => [],
    run() {
      if (database.isTransaction) database.exec('rollback');
      return { changes: 0, lastInsertRowid: 0 };
    },
    iterate: () => [][Symbol.iterator](),
  };
}

function inputs(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => {
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
      return value;
    throw new TypeError(`a ${typeof value} cannot be a parameter of a catalog statement`);
  });
}
