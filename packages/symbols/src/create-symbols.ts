import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import { FleetflameError } from '@fleetflame/profile';
import { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { binaryStatus } from './binary-status.ts';
import { checkBuildId } from './build-id.ts';
import { Converter, type ConverterOptions } from './convert/converter.ts';
import { checkServers, Debuginfod } from './debuginfod/debuginfod.ts';
import { DebuginfodMetrics } from './debuginfod/debuginfod-metrics.ts';
import { DEBUGINFOD_LIMITS, type DebuginfodLimits } from './debuginfod/limits.ts';
import { SymbolNeeds } from './debuginfod/needs.ts';
import { inParallel } from './in-parallel.ts';
import { Intake } from './intake.ts';
import { STORAGE_CONCURRENCY, SYMBOL_LIMITS, type SymbolLimits } from './limits.ts';
import { ServiceMetrics } from './service-metrics.ts';
import { sweepSymbols, type SweepDue } from './sweep-symbols.ts';
import type { SymbolStorage } from './symbol-storage.ts';
import { SymbolStore } from './symbol-store.ts';
import { Tries } from './uploads/tries.ts';
import { Uploads } from './uploads/uploads.ts';
import { Wanted } from './uploads/wanted.ts';

export interface SymbolsOptions {
  readonly storage: SymbolStorage;
  readonly log: Logger;
  readonly registry: Registry;
  /**
   * Where one file at a time lies while it is converted, a gigabyte at the most: a folder that nothing else uses; it
   * is emptied. Default: one in the system's temporary directory.
   */
  readonly scratchDir?: string;
  /** Memory for symbol tables. Default: DEFAULT_CACHE_BYTES. */
  readonly cacheBytes?: number;
  readonly converter?: ConverterOptions;
  /** Base URLs of debuginfod servers. Default: none is asked. */
  readonly debuginfod?: readonly string[];
  /** Default: DEBUGINFOD_LIMITS. */
  readonly debuginfodLimits?: Partial<DebuginfodLimits>;
  /** Default: SYMBOL_LIMITS. */
  readonly limits?: Partial<SymbolLimits>;
  /** How long a call waits for a conversion. Default: CONVERSION_POLL_MS. */
  readonly pollMs?: number;
  /** Where a request comes from; empty: not known. Default: not known. */
  readonly addressOf?: (context: HandlerContext) => string;
  /** Whether what a sweep would delete may go. Default: it may. */
  readonly allowSweep?: (due: SweepDue) => Promise<boolean>;
  /** The clock, Unix ms. */
  readonly now?: () => number;
}

export interface Symbols {
  readonly store: SymbolStore;
  /** Undefined when there are no servers to ask. */
  readonly debuginfod: Debuginfod | undefined;
  readonly routes: (router: ConnectRouter) => void;
  /** Removes uploads that stopped and tables that were replaced; timers do so now and then. */
  readonly maintain: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const REMOVE_ABANDONED_EVERY_MS = 60_000;
const TAKE_NEEDS_EVERY_MS = 15_000;
const SWEEP_EVERY_MS = 3 * 3600_000;

/**
 * The server's half of symbolization: the store of tables, SymbolService, and what asks debuginfod servers.
 * @throws FleetflameError invalid_input when `debuginfod` has what is no URL
 */
export function createSymbols(options: SymbolsOptions): Symbols {
  const { storage, log, registry, pollMs } = options;
  const now = options.now ?? Date.now;
  const limits = { ...SYMBOL_LIMITS, ...options.limits };
  const cache = options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes };
  const store = new SymbolStore({ storage, log, registry, now, ...cache });
  const converter = new Converter(options.converter);
  const metrics: ServiceMetrics = new ServiceMetrics(registry, () => ({
    uploads: uploads.size,
    waiting: intake.waiting,
  }));
  const intake: Intake = new Intake({
    store,
    converter,
    log,
    metrics,
    limits,
    scratchDir: options.scratchDir,
  });
  const tries = new Tries(now);
  const onEnded = (buildId: string): void => wanted.forget(buildId);
  const common = { store, limits, now, tries };
  const uploads: Uploads = new Uploads({ ...common, storage, intake, log, metrics, pollMs, onEnded });
  const wanted: Wanted = new Wanted({ ...common, uploads });
  const servers = checkServers(options.debuginfod ?? []);
  const debuginfod: Debuginfod | undefined =
    servers.length === 0
      ? undefined
      : new Debuginfod({
          servers,
          storage,
          store,
          intake,
          log,
          metrics: new DebuginfodMetrics(registry, () => debuginfod?.queued ?? 0),
          symbolLimits: limits,
          limits: { ...DEBUGINFOD_LIMITS, ...options.debuginfodLimits },
          now,
        });
  const needs = new SymbolNeeds(storage, log, now);
  if (debuginfod !== undefined) store.onAsked = debuginfod.met;
  /** What other processes met. */
  const takeNeeds = async (): Promise<void> => {
    if (debuginfod === undefined) return;
    for (const buildId of await needs.take(DEBUGINFOD_LIMITS.queued)) await store.record(buildId);
  };
  const sweep = async (): Promise<void> => {
    await debuginfod?.sweep();
    const allow = options.allowSweep;
    await sweepSymbols({ storage, log, now, onDeleted: () => metrics.deleted.inc(), allow });
  };
  const timers = [
    every(REMOVE_ABANDONED_EVERY_MS, log, 'stopped uploads could not be removed', () =>
      uploads.removeAbandoned(),
    ),
    every(TAKE_NEEDS_EVERY_MS, log, 'needs of symbols could not be read', takeNeeds),
    // Servers that started together need not sweep together.
    every(
      SWEEP_EVERY_MS * (0.75 + Math.random() / 2),
      log,
      'replaced symbol tables could not be deleted',
      sweep,
    ),
  ];

  const checkBuildIds = (buildIds: readonly string[], field: string): void => {
    if (buildIds.length > limits.buildIds) {
      metrics.refused.inc({ reason: 'build_ids' });
      throw new FleetflameError(
        'limit_exceeded',
        `${field}: ${buildIds.length} of them, the most is ${limits.buildIds}. Ask in several calls.`,
        { field },
      );
    }
    buildIds.forEach((buildId, index) => checkBuildId(buildId, `${field}[${index}]`));
  };

  const status = async (asked: readonly string[]) => {
    const records = await store.status(asked);
    const known = new Map(records.map((record) => [record.buildId, record]));
    const kept = new Set(await uploads.buildIds());
    const waiting = debuginfod?.buildIds() ?? [];
    const buildIds = asked.length > 0 ? asked : [...new Set([...known.keys(), ...kept, ...waiting])];
    const all = await inParallel(buildIds, STORAGE_CONCURRENCY, async (buildId) => {
      const upload = kept.has(buildId) ? await uploads.state(buildId) : undefined;
      return binaryStatus(buildId, known.get(buildId), upload, debuginfod?.state(buildId));
    });
    return all.filter((one) => one !== undefined);
  };

  const routes = (router: ConnectRouter): void => {
    router.service(SymbolService, {
      async wanted({ offers, uploader }) {
        checkBuildIds(
          offers.map((offer) => offer.buildId),
          'offers',
        );
        return await wanted.choose(offers, uploader);
      },
      async upload(request, context) {
        const address = options.addressOf?.(context) ?? '';
        const { binary, ...answer } = await uploads.accept(request, address);
        if (binary === undefined) return answer;
        const state = binaryStatus(binary.buildId, binary, undefined);
        return state === undefined ? answer : { ...answer, binary: state };
      },
      async status({ buildIds }) {
        checkBuildIds(buildIds, 'build_ids');
        return { binaries: await status(buildIds) };
      },
    });
  };

  return {
    store,
    debuginfod,
    routes,
    async maintain() {
      await uploads.removeAbandoned();
      await takeNeeds();
      await sweep();
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      // What is being fetched ends with it.
      await Promise.all([debuginfod?.close(), converter.close()]);
      await uploads.close();
      await intake.close();
      await store.settled();
    },
  };
}

function every(ms: number, log: Logger, failure: string, work: () => Promise<void>): NodeJS.Timeout {
  const timer = setInterval(() => {
    work().catch((error: unknown) => log.error({ err: error }, failure));
  }, ms);
  timer.unref();
  return timer;
}
