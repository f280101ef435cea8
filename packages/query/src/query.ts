import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import { FleetflameError } from '@fleetflame/profile';
import { QueryService } from '@fleetflame/proto/query/v1/query';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Admission } from './admission.ts';
import { BlockReader } from './block-reader.ts';
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
    checks: new LimitCheck(limits, metrics),
    metrics,
    log,
  };
  const run = async <T>(call: HandlerContext, work: () => Promise<T>): Promise<T> => {
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
        flameGraph: (request, call) => run(call, () => flameGraph(context, flames, request, call.signal)),
        top: (request, call) => run(call, () => top(context, flames, request, call.signal)),
        series: (request, call) => run(call, () => series(context, seriesCache, request, call.signal)),
        labelNames: (request, call) => run(call, () => labelNames(context, request, call.signal)),
        labelValues: (request, call) => run(call, () => labelValues(context, request, call.signal)),
        profileTypes: (request, call) => run(call, () => profileTypes(context, request, call.signal)),
        binaries: (request, call) => run(call, () => binaries(context, flames, request, call.signal)),
        functionDetails: (request, call) => run(call, () => functionDetails(context, request, call.signal)),
        export: (request, call) => run(call, () => exportProfile(context, request, call.signal)),
      });
    },
    close: () => admission.close(),
  };
}
