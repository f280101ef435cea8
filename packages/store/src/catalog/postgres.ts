/**
 * The shared engine: PostgreSQL, or what speaks its protocol. Everything that can take time has a
 * bound on both ends: a server that hangs, a network that swallows packets and a lock that is held
 * become errors within seconds, and a process that dies in a transaction does not hold others up.
 */
import { FleetflameError } from '@fleetflame/profile';
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { Pool, TypeOverrides } from 'pg';
import type { CatalogEngine } from './catalog-engine.ts';
import type { Tables } from './tables.ts';

export interface PostgresCatalogConfig {
  readonly engine: 'postgres';
  /** postgres://user:password@host:port/database?sslmode=…. Holds a secret: never log it. */
  readonly url: string;
  /** Overrides of POSTGRES_LIMITS. */
  readonly limits?: Partial<PostgresLimits>;
}

export interface PostgresLimits {
  /**
   * Connections of one process. Statements take about a millisecond: a few serve thousands a second,
   * and fifty processes still fit into a server's usual few hundred.
   */
  readonly connections: number;
  /** From wanting a connection to having one, ms; new ones and waiting for a busy pool alike. */
  readonly connectMs: number;
  /** One statement, by the server's clock, ms: the largest takes far less than a second. */
  readonly statementMs: number;
  /** One statement, by ours, ms: for servers and networks that do not answer at all. */
  readonly answerMs: number;
  /** Waiting for one lock, ms. */
  readonly lockMs: number;
  /** The server ends a transaction whose client says nothing for so long, ms. */
  readonly idleTransactionMs: number;
  /** An unused connection is closed after so long, ms. */
  readonly idleMs: number;
  /** One step of a migration, and waiting for another process to finish its own, ms. */
  readonly migrationMs: number;
}

export const POSTGRES_LIMITS: PostgresLimits = {
  connections: 8,
  connectMs: 5000,
  statementMs: 15_000,
  answerMs: 20_000,
  lockMs: 5000,
  idleTransactionMs: 30_000,
  idleMs: 60_000,
  migrationMs: 600_000,
};

/** Any number, the same in every Fleetflame: who migrates holds this advisory lock. */
const MIGRATION_LOCK = 0x666c_616d;

/** SQLSTATE: serialization failure, deadlock, lock not available. The server has rolled back. */
const ROLLED_BACK: ReadonlySet<string> = new Set(['40001', '40P01', '55P03']);
/** SQLSTATE: shutdown of the server by its operator, by a crash, and its start after either; too many clients. */
const SERVER_GONE: ReadonlySet<string> = new Set(['57P01', '57P02', '57P03', '53300']);
const SOCKET_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

const INT8 = 20;
const NUMERIC = 1700;

export function openPostgres(config: PostgresCatalogConfig): CatalogEngine {
  const limits = { ...POSTGRES_LIMITS, ...config.limits };
  const pool = createPool(config.url, limits);
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    name: 'postgres',
    db,
    // Without it the order of ids would depend on the database's locale.
    render: (statement) => statement.replaceAll(/\btext\b/g, 'text collate "C"'),
    exclusively: (steps) => exclusively(db, limits, steps),
    isRolledBack: (error) => ROLLED_BACK.has(codeOf(error)),
    isDisconnected,
    async clockMs() {
      const now = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`;
      const { rows } = await sql<{ now: number }>`select ${now} as now`.execute(db);
      return rows[0]?.now ?? Date.now();
    },
    checkDurability: () => checkDurability(db),
  };
}

function createPool(url: string, limits: PostgresLimits): Pool {
  let pool;
  try {
    pool = new Pool({
      connectionString: url,
      application_name: 'fleetflame',
      max: limits.connections,
      connectionTimeoutMillis: limits.connectMs,
      idleTimeoutMillis: limits.idleMs,
      statement_timeout: limits.statementMs,
      query_timeout: limits.answerMs,
      lock_timeout: limits.lockMs,
      idle_in_transaction_session_timeout: limits.idleTransactionMs,
      keepAlive: true,
      types: numbers,
    });
  } catch (cause) {
    // The message may quote the URL, and with it the password.
    throw new FleetflameError('invalid_input', 'The URL of the catalog is not a PostgreSQL URL.', { cause });
  }
  // A connection that breaks is dropped by the pool, and the statement that was on it fails; without
  // these listeners the same news, told a second time, would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** 64-bit integers and their sums as numbers: all of ours are far below 2^53, and larger ones are errors. */
const numbers = new TypeOverrides();
numbers.setTypeParser(INT8, toSafeInteger);
numbers.setTypeParser(NUMERIC, toSafeInteger);

function toSafeInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new FleetflameError(
    'corrupt_data',
    `The catalog holds the number ${text}, which is no count of ours.`,
  );
}

async function exclusively<T>(
  db: Kysely<Tables>,
  limits: PostgresLimits,
  steps: (tx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  return db.transaction().execute(async (tx) => {
    const ms = sql.lit(limits.migrationMs);
    await sql`set local lock_timeout = ${ms}`.execute(tx);
    await sql`set local statement_timeout = ${ms}`.execute(tx);
    await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(tx);
    return steps(tx);
  });
}

/** I1: an acked batch must survive a crash of the database's host. */
async function checkDurability(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ synchronous_commit: string }>`show synchronous_commit`.execute(db);
  if (rows[0]?.synchronous_commit !== 'off') return;
  throw new FleetflameError(
    'unsupported',
    'The catalog database has synchronous_commit off: commits that were acked could be lost in a crash. ' +
      'Turn it on for this database or role: alter database NAME set synchronous_commit = on.',
  );
}

function isDisconnected(error: unknown): boolean {
  const code = codeOf(error);
  if (code.startsWith('08') || SERVER_GONE.has(code) || SOCKET_CODES.has(code)) return true;
  // pg gives these no code.
  return (
    error instanceof Error &&
    /connection terminated|query read timeout|timeout exceeded when trying to connect|client has encountered a connection error/i.test(
      error.message,
    )
  );
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return codeOf(error.cause);
}
