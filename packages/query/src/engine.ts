/** What answers queries in one thread: its caches, and the RPCs on top of them. */
import { fromBinary, toBinary, toJsonString, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { QueryService } from '@fleetflame/proto/query/v1/query';
import type { Store } from '@fleetflame/store';
import type { Logger } from 'pino';
import { BlockReader } from './block-reader.ts';
import type { CacheShares } from './cache-share.ts';
import { FlameCache } from './flame-cache.ts';
import type { QueryLimits } from './limits.ts';
import type { QueryHost } from './query-host.ts';
import type { QueryMetrics } from './query-metrics.ts';
import type { QueryContext } from './query-run.ts';
import { binaries } from './rpc/binaries.ts';
import { exportProfile } from './rpc/export.ts';
import { flameGraph } from './rpc/flame-graph.ts';
import { functionDetails } from './rpc/function-details.ts';
import { labelNames } from './rpc/label-names.ts';
import { labelValues } from './rpc/label-values.ts';
import { profileTypes } from './rpc/profile-types.ts';
import { createSeriesCache, series, type SeriesCache } from './rpc/series.ts';
import { top } from './rpc/top.ts';
import { LimitCheck } from './scope.ts';

type Methods = typeof QueryService.method;
export type QueryRpc = keyof Methods;
export type RequestOf<Rpc extends QueryRpc> = MessageShape<Methods[Rpc]['input']>;
export type ResponseOf<Rpc extends QueryRpc> = MessageShape<Methods[Rpc]['output']>;

/** How an answer is written. */
export type AnswerFormat = 'proto' | 'json';

/** A question as plain data. */
export interface Question {
  readonly rpc: QueryRpc;
  /** The request message, binary. */
  readonly request: Uint8Array;
  readonly format: AnswerFormat;
}

export interface EngineOptions {
  readonly store: Pick<Store, 'read'>;
  readonly limits: QueryLimits;
  readonly shares: CacheShares;
  readonly metrics: QueryMetrics;
  readonly log: Logger;
}

export class QueryEngine {
  readonly #context: Omit<QueryContext, 'host'>;
  readonly #flames: FlameCache;
  readonly #series: SeriesCache;

  constructor({ store, limits, shares, metrics, log }: EngineOptions) {
    const checks = new LimitCheck(limits, metrics);
    this.#context = { reader: new BlockReader(store, shares, metrics), checks, metrics, log };
    this.#flames = new FlameCache(shares, metrics);
    this.#series = createSeriesCache(shares, metrics);
  }

  /** The answer as it is sent. Throws FleetflameError. */
  async answer(
    { rpc, request, format }: Question,
    host: QueryHost,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    return await this.#rpcs(host, signal)[rpc](request, format);
  }

  /** Gives up what other threads need of the caches. */
  trim(): void {
    this.#context.reader.trim();
    this.#flames.trim();
    this.#series.trim();
  }

  #rpcs(
    host: QueryHost,
    signal: AbortSignal,
  ): Readonly<Record<QueryRpc, (request: Uint8Array, format: AnswerFormat) => Promise<Uint8Array>>> {
    const context: QueryContext = { ...this.#context, host };
    const flames = this.#flames;
    const { method } = QueryService;
    return {
      flameGraph: coded(method.flameGraph, async (request) => flameGraph(context, flames, request, signal)),
      top: coded(method.top, async (request) => top(context, flames, request, signal)),
      series: coded(method.series, async (request) => series(context, this.#series, request, signal)),
      labelNames: coded(method.labelNames, async (request) => labelNames(context, request, signal)),
      labelValues: coded(method.labelValues, async (request) => labelValues(context, request, signal)),
      profileTypes: coded(method.profileTypes, async (request) => profileTypes(context, request, signal)),
      binaries: coded(method.binaries, async (request) => binaries(context, flames, request, signal)),
      functionDetails: coded(method.functionDetails, async (request) =>
        functionDetails(context, request, signal),
      ),
      export: coded(method.export, async (request) => exportProfile(context, request, signal)),
    };
  }
}

/** An RPC from bytes to bytes. */
function coded<Input extends DescMessage, Output extends DescMessage>(
  { input, output }: { readonly input: Input; readonly output: Output },
  answer: (request: MessageShape<Input>) => Promise<MessageShape<Output>>,
): (request: Uint8Array, format: AnswerFormat) => Promise<Uint8Array> {
  return async (request, format) => {
    const message = await answer(fromBinary(input, request));
    return format === 'proto'
      ? toBinary(output, message)
      : new TextEncoder().encode(toJsonString(output, message));
  };
}
