/**
 * What the store is able to do, told by what it last did: an operation that failed three times in a row is not
 * able, until it succeeds once. Nothing is asked for this; while something is not able, somebody who wants to
 * know tries it now and then (Store.probe), since nobody else may any more.
 */
import { FleetflameError, type ErrorCode } from '@fleetflame/profile';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Objects written and read, the catalog written and read. */
export const STORE_OPERATIONS = ['put', 'get', 'commit', 'read'] as const;
export type StoreOperation = (typeof STORE_OPERATIONS)[number];

/** One failure may be one object's or one moment's. */
export const FAILURES_IN_A_ROW = 3;

export interface OperationHealth {
  readonly able: boolean;
  readonly failuresInRow: number;
  /** Unix ms by this host's clock; 0: never. */
  readonly lastSuccessMs: number;
  readonly lastFailureMs: number;
}

/** Answers about what was asked, by something that works. */
const ANSWERS: ReadonlySet<ErrorCode> = new Set([
  'not_found',
  'invalid_input',
  'corrupt_data',
  'limit_exceeded',
  'conflict',
  'cancelled',
]);

export class StoreHealth {
  readonly #log: Logger;
  readonly #states = new Map<StoreOperation, OperationHealth>(
    STORE_OPERATIONS.map((operation) => [
      operation,
      { able: true, failuresInRow: 0, lastSuccessMs: 0, lastFailureMs: 0 },
    ]),
  );
  readonly #failures: Counter<'operation'>;

  constructor(log: Logger, registry: Registry) {
    this.#log = log;
    this.#failures = new Counter({
      name: 'fleetflame_store_failures_total',
      help: 'Operations of object store (put, get) and catalog (commit, read) that failed by no fault of what was asked.',
      labelNames: ['operation'],
      registers: [registry],
    });
    const isAble = this.isAble.bind(this);
    registry.registerMetric(
      new Gauge({
        name: 'fleetflame_store_able',
        help: 'Whether an operation works: 0 after three failures in a row, until one success.',
        labelNames: ['operation'],
        registers: [],
        collect() {
          for (const operation of STORE_OPERATIONS) this.set({ operation }, isAble(operation) ? 1 : 0);
        },
      }),
    );
  }

  isAble(operation: StoreOperation): boolean {
    return this.#states.get(operation)?.able ?? true;
  }

  states(): ReadonlyMap<StoreOperation, OperationHealth> {
    return this.#states;
  }

  /** Runs one operation and notes how it went. */
  async watch<T>(operation: StoreOperation, run: () => Promise<T>): Promise<T> {
    return await watchOperation(run, (failure) => {
      if (failure === undefined) this.succeeded(operation);
      else this.failed(operation, failure);
    });
  }

  succeeded(operation: StoreOperation): void {
    const before = this.#states.get(operation);
    if (before?.able === false) this.#log.info({ operation }, 'the store is able again');
    const lastFailureMs = before?.lastFailureMs ?? 0;
    this.#states.set(operation, { able: true, failuresInRow: 0, lastSuccessMs: Date.now(), lastFailureMs });
  }

  failed(operation: StoreOperation, error: unknown): void {
    this.#failures.inc({ operation });
    const before = this.#states.get(operation);
    const failuresInRow = (before?.failuresInRow ?? 0) + 1;
    const able = (before?.able ?? true) && failuresInRow < FAILURES_IN_A_ROW;
    if (before?.able === true && !able)
      this.#log.error({ err: error, operation, failuresInRow }, 'the store is not able');
    const lastSuccessMs = before?.lastSuccessMs ?? 0;
    this.#states.set(operation, { able, failuresInRow, lastSuccessMs, lastFailureMs: Date.now() });
  }
}

/** Runs one operation and tells how it went: undefined, or what failed by no fault of what was asked. */
export async function watchOperation<T>(run: () => Promise<T>, tell: (failure: unknown) => void): Promise<T> {
  try {
    const result = await run();
    tell(undefined);
    return result;
  } catch (error) {
    tell(error instanceof FleetflameError && ANSWERS.has(error.code) ? undefined : error);
    throw error;
  }
}
