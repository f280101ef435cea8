import type { ConnectRouter } from '@connectrpc/connect';
import { FleetflameError } from '@fleetflame/profile';
import { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { checkBuildId } from './build-id.ts';
import { Converter, type ConverterOptions } from './convert/converter.ts';
import { SYMBOL_LIMITS } from './limits.ts';
import { ServiceMetrics } from './service-metrics.ts';
import type { SymbolStorage } from './symbol-storage.ts';
import { SymbolStore } from './symbol-store.ts';
import { Uploads } from './uploads.ts';
import { Wanted } from './wanted.ts';

export interface SymbolsOptions {
  readonly storage: SymbolStorage;
  readonly log: Logger;
  readonly registry: Registry;
  /** Where uploads grow until they are converted. Default: the system's temporary directory. */
  readonly scratchDir?: string;
  /** Memory for symbol tables. Default: DEFAULT_CACHE_BYTES. */
  readonly cacheBytes?: number;
  readonly converter?: ConverterOptions;
  /** The clock, Unix ms. */
  readonly now?: () => number;
}

export interface Symbols {
  readonly store: SymbolStore;
  readonly routes: (router: ConnectRouter) => void;
  /** Gives up idle uploads; a timer does so every few seconds. */
  readonly expireUploads: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const EXPIRE_EVERY_MS = 5_000;

/** The server's half of symbolization: the store of tables, and SymbolService. */
export function createSymbols(options: SymbolsOptions): Symbols {
  const { storage, log, registry } = options;
  const now = options.now ?? Date.now;
  const cache = options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes };
  const store = new SymbolStore({ storage, log, registry, now, ...cache });
  const converter = new Converter(options.converter);
  const uploads: Uploads = new Uploads({
    store,
    converter,
    log,
    metrics: () => metrics,
    scratchDir: options.scratchDir,
    now,
  });
  const metrics = new ServiceMetrics(registry, () => ({
    uploads: uploads.size,
    scratchBytes: uploads.scratchBytes,
    waiting: converter.waiting,
  }));
  const wanted = new Wanted(store, uploads, now);
  const timer = setInterval(() => {
    uploads
      .expire()
      .catch((error: unknown) => log.error({ err: error }, 'idle uploads could not be removed'));
  }, EXPIRE_EVERY_MS);
  timer.unref();

  const checkBuildIds = (buildIds: readonly string[]): void => {
    if (buildIds.length > SYMBOL_LIMITS.buildIds) {
      metrics.refused.inc({ reason: 'build_ids' });
      throw new FleetflameError(
        'limit_exceeded',
        `build_ids: ${buildIds.length} of them, the most is ${SYMBOL_LIMITS.buildIds}. Ask in several calls.`,
        { field: 'build_ids' },
      );
    }
    buildIds.forEach((buildId, index) => checkBuildId(buildId, `build_ids[${index}]`));
  };

  const routes = (router: ConnectRouter): void => {
    router.service(SymbolService, {
      async wanted(request) {
        checkBuildIds(request.buildIds);
        return { buildIds: await wanted.choose(request.buildIds) };
      },
      async upload(request) {
        const { symbols, complete } = await uploads.accept(request);
        return { symbols: BigInt(symbols), complete };
      },
      async status(request) {
        checkBuildIds(request.buildIds);
        const records = await store.status(request.buildIds);
        return {
          binaries: records.map((record) => ({
            buildId: record.buildId,
            fileName: record.fileName,
            symbols: BigInt(record.symbols),
            source: record.source,
            problem: record.problem,
            uploadBytes: BigInt(record.uploadBytes),
            storedMs: BigInt(record.uploadedMs),
            origin: 'upload',
          })),
        };
      },
    });
  };

  return {
    store,
    routes,
    expireUploads: () => uploads.expire(),
    async close() {
      clearInterval(timer);
      await converter.close();
      await uploads.close();
    },
  };
}
