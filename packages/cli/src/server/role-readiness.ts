/**
 * Whether a role is able to do what it is there for, by what the store last did. While it is not, nobody sends it
 * anything any more, so it tries by itself what has failed.
 */
import type { Store, StoreOperation } from '@fleetflame/store';
import { Gauge, type Registry } from 'prom-client';
import type { ServerRole } from './services.ts';

/** What each role cannot be without. */
const NEEDS: Readonly<Record<ServerRole, readonly StoreOperation[]>> = {
  up: ['put', 'get', 'commit', 'read'],
  ingest: ['put', 'commit'],
  query: ['get', 'read'],
  compactor: ['commit', 'read'],
  symbolizer: ['get'],
};

/** How people are told of it: to everybody who asks, so without the words of an error. */
const WORDS: Readonly<Record<StoreOperation, string>> = {
  put: 'objects cannot be written',
  get: 'objects cannot be read',
  commit: 'the catalog cannot be written',
  read: 'the catalog cannot be read',
};

/** A balancer looks every few seconds. */
const PROBE_EVERY_MS = 1000;

export class RoleReadiness {
  readonly #role: ServerRole;
  readonly #store: Store;
  readonly #timer: NodeJS.Timeout;
  #probing: Promise<void> | undefined;

  constructor(role: ServerRole, store: Store, registry: Registry) {
    this.#role = role;
    this.#store = store;
    this.#timer = setInterval(() => this.#look(), PROBE_EVERY_MS);
    this.#timer.unref();
    const isAble = (): boolean => this.problems().length === 0;
    registry.registerMetric(
      new Gauge({
        name: 'fleetflame_ready',
        help: 'Whether this process is able to do what it is there for (fleetflame_store_able says what is missing).',
        registers: [],
        collect() {
          this.set(isAble() ? 1 : 0);
        },
      }),
    );
  }

  /** What it cannot do, in words; empty: it is able. */
  problems(): readonly string[] {
    return this.#failing().map((operation) => WORDS[operation]);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#probing;
  }

  #failing(): readonly StoreOperation[] {
    return NEEDS[this.#role].filter((operation) => !this.#store.health.isAble(operation));
  }

  #look(): void {
    const failing = this.#failing();
    if (failing.length === 0 || this.#probing !== undefined) return;
    const probes = failing.map((operation) => this.#store.probe(operation));
    // Failures are noted and logged by the store.
    this.#probing = Promise.allSettled(probes).then(() => undefined);
    void this.#probing.finally(() => (this.#probing = undefined));
  }
}
