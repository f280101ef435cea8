/** What differs between the databases that hold a catalog; everything else is the same SQL. */
import type { Kysely, Transaction } from 'kysely';
import type { Tables } from './tables.ts';

export interface CatalogEngine {
  readonly name: 'sqlite' | 'postgres';
  readonly db: Kysely<Tables>;
  /** A migration's statement in this engine's words: text must sort by bytes, and bytes differ in name. */
  render(statement: string): string;
  /** Runs `steps` while no other process is between its first and last statement. */
  exclusively<T>(steps: (tx: Transaction<Tables>) => Promise<T>): Promise<T>;
  /**
   * True for failures that say: nothing was done, and the same again may succeed (a deadlock, a
   * serialization failure, a lock that took too long).
   */
  isRolledBack(error: unknown): boolean;
  /** True for failures of the way to the database: what reads may be tried again. */
  isDisconnected(error: unknown): boolean;
  /** The database's clock, Unix ms: one clock for all processes that share it. */
  clockMs(): Promise<number>;
  /** Throws unsupported when the database does not keep what it commits. */
  checkDurability(): Promise<void>;
}
