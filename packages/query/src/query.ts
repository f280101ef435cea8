import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import { FleetflameError } from '@fleetflame/profile';
import { QueryService } from '@fleetflame/proto/query/v1/query';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Admission } from './admission.ts';
import { BlockReader } from './block-reader.ts';
import { Budget } from './budget.ts';
import { FlameCache } from './flame-cache.ts';
import { QUERY_LIMITS, type QueryLimits } from './limits.ts';
import { QueryMetrics } from './query-metrics.ts';
import type { QueryContext, QueryStore } from './query-run.ts';
import { binaries } from './rpc/binaries.ts';
import { exportProfile } from './rpc/export.ts';
import { flameGraph } from './rpc/flame-graph.ts';
import { functionDetails } from './rpc/function-details.ts';
import { labelNames } from './rpc/label-names.ts';
import { labelValues } from './rpc/label-values.ts';
import { profileTypes } from './rpc/profile-types.ts';
import { createSeriesCache, series } from './rpc/series.ts';
import { top } from './rpc/top.ts';
import { LimitCheck } from './scope.ts';
import type { SymbolSource } from './symbol-source.ts';

export interface QueryOptions {
  readonly store: QueryStore;
  /** The SymbolStore of the symbols package. */
  readonly symbols: SymbolSource;
  readonly log: Logger;
  readonly registry: Registry;
  /** Default QUERY_LIMITS. */
  readonly limits?: Partial<QueryLimits>;
}

export interface Query {
  routes(router: ConnectRouter): void;
  /** Refuses new queries and waits for the running ones. */
  close(): Promise<void>;
}

/** The query service. Its handlers throw FleetflameError; who mounts them turns it into a Connect error. */
export function createQuery(options: QueryOptions): Query {
  const { store, symbols, log, registry } = options;
  const limits = { ...QUERY_LIMITS, ...options.limits };
  const metrics = new QueryMetrics(registry);
  const admission = new Admission(limits, metrics);
  const seriesCache = createSeriesCache(limits, metrics);
  const flames = new FlameCache(limits, metrics);
  const context: QueryContext = {
    store,
    symbols,
    reader: new BlockReader(store, limits, metrics),
    decoded: new Budget(limits.decodedBytes, {
      held: (bytes) => metrics.decodedBytes.set(bytes),
      delayed: () => metrics.delayed.inc({ what: 'read' }),
    }),
    exports: new Budget(limits.exports, {
      held: () => undefined,
      delayed: () => metrics.delayed.inc({ what: 'export' }),
    }),
    checks: new LimitCheck(limits, metrics),
    metrics,
    log,
  };
  const run = async <T>(call: HandlerContext, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const { name: rpc } = call.method;
    const end = metrics.seconds.startTimer({ rpc });
    try {
      const answer = await admission.run(call.signal, work);
      end({ outcome: 'ok' });
      return answer;
    } catch (error) {
      end({ outcome: error instanceof FleetflameError ? error.code : 'internal' });
      throw error;
    }
  };
  return {
    routes(router) {
      router.service(QueryService, {
        flameGraph: (request, call) => run(call, (signal) => flameGraph(context, flames, request, signal)),
        top: (request, call) => run(call, (signal) => top(context, flames, request, signal)),
        series: (request, call) => run(call, (signal) => series(context, seriesCache, request, signal)),
        labelNames: (request, call) => run(call, (signal) => labelNames(context, request, signal)),
        labelValues: (request, call) => run(call, (signal) => labelValues(context, request, signal)),
        profileTypes: (request, call) => run(call, (signal) => profileTypes(context, request, signal)),
        binaries: (request, call) => run(call, (signal) => binaries(context, flames, request, signal)),
        functionDetails: (request, call) => run(call, (signal) => functionDetails(context, request, signal)),
        export: (request, call) => run(call, (signal) => exportProfile(context, request, signal)),
      });
    },
    close: () => admission.close(),
  };
}
