/**
 * Transactions and what becomes of those that fail. A collision with another process is tried again;
 * a lost connection only when nothing was to be changed. Every other failure of a write may have
 * happened after its commit: the caller decides what that means (see Catalog.settle).
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { FleetflameError } from '@fleetflame/profile';
import type { Transaction } from 'kysely';
import type { CatalogEngine } from './catalog-engine.ts';
import type { Tables } from './tables.ts';

/** Collisions end when one side goes on; five in a row are a sign of something else. */
const ATTEMPTS = 5;
/** Doubled each time, of which a random half to whole: two that collided should not meet again. */
const FIRST_WAIT_MS = 20;

/** Told of every transaction; undefined: the database did what it was asked. */
export type OnTransaction = (kind: 'commit' | 'read', failure: unknown) => void;

export class Transactor {
  readonly #engine: CatalogEngine;
  readonly #onTransaction: OnTransaction;

  constructor(engine: CatalogEngine, onTransaction: OnTransaction = () => undefined) {
    this.#engine = engine;
    this.#onTransaction = onTransaction;
  }

  /** All that `run` reads is of one moment. */
  read<T>(what: string, run: (tx: Transaction<Tables>) => Promise<T>): Promise<T> {
    const { db } = this.#engine;
    return this.#repeat(what, true, () =>
      db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(run),
    );
  }

  /**
   * Every statement of `run` sees what is committed when it begins; rows that it changes are locked.
   * `run` may be called several times, and throws an instance of `Refusal` to change nothing.
   */
  write<T>(what: string, run: (tx: Transaction<Tables>) => Promise<T>): Promise<T> {
    return this.#repeat(what, false, () => this.#engine.db.transaction().execute(run));
  }

  async #repeat<T>(what: string, readOnly: boolean, transaction: () => Promise<T>): Promise<T> {
    const kind = readOnly ? 'read' : 'commit';
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await transaction();
        this.#onTransaction(kind, undefined);
        // SQLite does all of it within a turn of the event loop, and a commit waits for the disk: many in a row would
        // let nobody else have a turn.
        if (!readOnly) await setImmediate();
        return result;
      } catch (error) {
        // What this product throws in a transaction is an answer.
        if (error instanceof Refusal || error instanceof FleetflameError) {
          this.#onTransaction(kind, undefined);
          throw error;
        }
        const again = this.#engine.isRolledBack(error) || (readOnly && this.#engine.isDisconnected(error));
        if (!again || attempt === ATTEMPTS) {
          this.#onTransaction(kind, error);
          throw catalogError(`used to ${what}`, error);
        }
      }
      await sleep(FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
    }
  }
}

/** Thrown inside a transaction to roll it back; it is an outcome, not a failure. */
export class Refusal extends Error {}

export function catalogError(what: string, error: unknown): FleetflameError {
  if (error instanceof FleetflameError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new FleetflameError('unavailable', `The catalog cannot be ${what}: ${detail}`, { cause: error });
}
