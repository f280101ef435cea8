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
/** A check reads all pages, some 500 MB a second: a larger file is checked without its batches, which are most of it. */
const CHECKED_BYTES = 256 << 20;
/** SQLite's own numbers: the file is damaged, or is none of SQLite's. */
const DAMAGED: ReadonlySet<unknown> = new Set([11, 26]);
/** The catalog's own are some sixty; lists of parameters make several of one. */
const MAX_STATEMENTS = 256;

export function openSqlite(path: string): CatalogEngine {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma trusted_schema = off');
    quickCheck(database, path);
  } catch (error) {
    database?.close();
    if (error instanceof FleetflameError) throw error;
    if (isDamaged(error)) throw damaged(path, String(error), error);
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

/** Throws corrupt_data: what a damaged catalog would say of blocks must not be believed. */
function quickCheck(database: DatabaseSync, path: string): void {
  const pages = database
    .prepare('select page_count * page_size as bytes from pragma_page_count, pragma_page_size')
    .get();
  const names = database
    .prepare("select name from sqlite_schema where type = 'table' and name <> 'batches'")
    .all();
  const whole = Number(pages?.['bytes']) <= CHECKED_BYTES;
  const checks = whole ? [''] : names.map(({ name }) => `('${String(name)}')`);
  for (const check of checks) {
    const [first] = database.prepare(`pragma quick_check${check}`).all();
    const answer = String(first === undefined ? 'ok' : Object.values(first)[0]);
    if (answer !== 'ok') throw damaged(path, answer);
  }
}

function isDamaged(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && DAMAGED.has(error.errcode);
}

function damaged(path: string, detail: string, cause?: unknown): FleetflameError {
  return new FleetflameError(
    'corrupt_data',
    `The catalog ${path} is damaged (${detail}). Nothing was changed.`,
    { cause },
  );
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
