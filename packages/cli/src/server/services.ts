/** Which services a role brings, and what they need of each other. */
import { join } from 'node:path';
import type { ConnectRouter } from '@connectrpc/connect';
import { createIngest, type IngestLimits } from '@fleetflame/ingest';
import { createQuery, type QueryLimits } from '@fleetflame/query';
import { createBlocks, createJobs, type Store } from '@fleetflame/store';
import { createSymbols, SymbolNeeds, SymbolStore } from '@fleetflame/symbols';
import type { Logger } from 'pino';
import { answerSlotOf } from './door/encoded-answer.ts';
import { addressOf } from './door/sender-address.ts';
import type { Registry } from 'prom-client';

export type ServerRole = 'up' | 'ingest' | 'query' | 'compactor' | 'symbolizer';

export interface ServiceOptions {
  readonly role: ServerRole;
  /** Of this process alone. */
  readonly dataDir?: string;
  readonly store: Store;
  readonly log: Logger;
  readonly registry: Registry;
  readonly ingestLimits: Partial<IngestLimits>;
  readonly queryLimits: Partial<QueryLimits>;
  /** Base URLs of debuginfod servers. */
  readonly debuginfod: readonly string[];
}

export interface Services {
  routes(router: ConnectRouter): void;
  /** Once requests are let in. */
  start(): void;
  /** What waits for more to come must not: open segments are written now, and new batches refused. */
  hurry(): Promise<void>;
  close(): Promise<void>;
}

export function createServices(options: ServiceOptions): Services {
  const { role, store, registry, ingestLimits, queryLimits, debuginfod } = options;
  const has = (service: ServerRole): boolean => role === 'up' || role === service;
  const log = (part: string): Logger => options.log.child({ part });
  const storage = store.objects;

  const scratch =
    options.dataDir === undefined ? {} : { scratchDir: join(options.dataDir, 'symbol-scratch') };
  const symbols = has('symbolizer')
    ? createSymbols({
        storage,
        log: log('symbols'),
        registry,
        debuginfod,
        addressOf,
        allowSweep: (due) => store.symbolSweeps.allows(due, store.now()),
        ...scratch,
      })
    : undefined;
  const ingest = has('ingest')
    ? createIngest({ store, log: log('ingest'), registry, limits: ingestLimits, addressOf })
    : undefined;
  // A query process looks names up; it takes no binaries.
  const names = (): SymbolStore => {
    if (symbols !== undefined) return symbols.store;
    const own = new SymbolStore({ storage, log: log('symbols'), registry });
    // The symbolizer asks the servers.
    if (debuginfod.length > 0) own.onAsked = new SymbolNeeds(storage, log('symbols')).say;
    return own;
  };
  const query = has('query')
    ? createQuery({
        store,
        symbols: names(),
        log: log('query'),
        registry,
        limits: queryLimits,
        slotOf: answerSlotOf,
      })
    : undefined;
  const blocks = has('query') ? createBlocks({ store, registry }) : undefined;
  const jobs = has('query') ? createJobs({ store }) : undefined;

  return {
    routes(router) {
      for (const service of [ingest, symbols, query, blocks, jobs]) service?.routes(router);
    },
    start() {
      if (has('compactor')) store.startMaintenance();
    },
    async hurry() {
      await ingest?.close();
    },
    async close() {
      await ingest?.close();
      await query?.close();
      await symbols?.close();
    },
  };
}
