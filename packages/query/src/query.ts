/**
 * The query service. The thread that answers checks who comes, lets so many run, and has what all share: catalog,
 * budgets, records of symbols. Everything that costs more than that is done by worker threads:
 *
 *   request ─▶ Admission ─▶ QueryPool ─▶ QueryThread ══▶ query-worker: QueryEngine: plan, scan, sum, project, encode
 *                                            ▲   snapshot, budgets, symbols   │
 *                                            ╚════════════════════════════════╝
 */
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import { FleetflameError } from '@fleetflame/profile';
import { QueryService, type Scope as ScopeMessage } from '@fleetflame/proto/query/v1/query';
import { forThreads, type Store } from '@fleetflame/store';
import type { SymbolTable } from '@fleetflame/symbols';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Admission } from './admission.ts';
import type { AnswerSlot } from './answer-slot.ts';
import { Budget } from './budget.ts';
import { createCacheCells } from './cache-share.ts';
import type { QueryRpc } from './engine.ts';
import { QUERY_LIMITS, type QueryLimits } from './limits.ts';
import { QueryMetrics } from './query-metrics.ts';
import { loadSymbols, type SymbolSource } from './symbol-source.ts';
import { addCounts } from './worker/counter-relay.ts';
import { QueryPool, threadsOf, type Place } from './worker/query-pool.ts';

/** The store as queries use it. */
export type QueryStore = Pick<Store, 'snapshot' | 'quarantine' | 'noteReader' | 'objectsConfig'>;

/** The SymbolStore of the symbols package, which decodes tables where it is told to. */
export interface QuerySymbolStore extends SymbolSource<SymbolTable> {
  decode: (key: string) => Promise<SymbolTable>;
}

export interface QueryOptions {
  readonly store: QueryStore;
  readonly symbols: QuerySymbolStore;
  readonly log: Logger;
  readonly registry: Registry;
  /** Default: QUERY_LIMITS. */
  readonly limits?: Partial<QueryLimits>;
  /** Where the answer to a call goes as it is sent. Default, and undefined: it is returned as a message. */
  readonly slotOf?: (call: HandlerContext) => AnswerSlot | undefined;
}

export interface Query {
  routes(router: ConnectRouter): void;
  /** Resolves when the first worker is there; questions that come before wait for it. */
  ready(): Promise<void>;
  /** Refuses new queries and waits for the running ones. */
  close(): Promise<void>;
}

/** Its handlers throw FleetflameError; who mounts them turns it into a Connect error. */
export function createQuery(options: QueryOptions): Query {
  const { store, symbols, log, registry, slotOf = () => undefined } = options;
  const limits = { ...QUERY_LIMITS, ...options.limits };
  const threads = threadsOf(limits);
  const cells = createCacheCells(threads);
  const metrics = new QueryMetrics(registry, cells);
  const admission = new Admission(limits, metrics);
  const budgets = {
    decoded: new Budget(limits.decodedBytes, {
      held: (bytes) => metrics.decodedBytes.set(bytes),
      delayed: () => metrics.delayed.inc({ what: 'read' }),
    }),
    exports: new Budget(limits.exports, {
      held: () => undefined,
      delayed: () => metrics.delayed.inc({ what: 'export' }),
    }),
  };
  const pool = new QueryPool({
    limits,
    objects: forThreads(store.objectsConfig, threads),
    cells,
    metrics,
    owner: {
      snapshot: (range) => store.snapshot(range),
      quarantine: (entry, reason) => store.quarantine(entry, reason),
      take: (shared, amount) => budgets[shared].take(amount),
      symbols: (buildIds) => loadSymbols(symbols, buildIds, log),
      noteReader: (event) => store.noteReader(event),
      counted: (changes) => addCounts(registry, changes),
      log,
    },
  });
  const decodeBefore = symbols.decode;
  symbols.decode = (key) => pool.decodeSymbols(key);

  const answer = async (
    call: HandlerContext,
    rpc: QueryRpc,
    request: Uint8Array,
    place: Place,
  ): Promise<Uint8Array> => {
    const end = metrics.seconds.startTimer({ rpc: call.method.name });
    try {
      const format = slotOf(call)?.format ?? 'proto';
      const bytes = await admission.run(call.signal, (signal) =>
        pool.answer({ rpc, request, format }, place, signal),
      );
      end({ outcome: 'ok' });
      return bytes;
    } catch (error) {
      end({ outcome: error instanceof FleetflameError ? error.code : 'internal' });
      throw error;
    }
  };

  /** The handler of an RPC. */
  const handle =
    <Input extends DescMessage, Output extends DescMessage>(
      rpc: QueryRpc,
      { input, output }: DescMethodUnary<Input, Output>,
    ) =>
    async (
      request: MessageShape<Input> & { readonly scope?: ScopeMessage | undefined },
      call: HandlerContext,
    ): Promise<MessageInitShape<Output> | MessageShape<Output>> => {
      const bytes = await answer(call, rpc, toBinary(input, request), placeOf(rpc, request));
      const slot = slotOf(call);
      if (slot === undefined) return fromBinary(output, bytes);
      slot.fill(bytes);
      return create(output);
    };

  const { method } = QueryService;
  return {
    routes(router) {
      router.service(QueryService, {
        flameGraph: handle('flameGraph', method.flameGraph),
        top: handle('top', method.top),
        series: handle('series', method.series),
        labelNames: handle('labelNames', method.labelNames),
        labelValues: handle('labelValues', method.labelValues),
        profileTypes: handle('profileTypes', method.profileTypes),
        binaries: handle('binaries', method.binaries),
        functionDetails: handle('functionDetails', method.functionDetails),
        export: handle('export', method.export),
      });
    },
    ready: () => pool.ready(),
    async close() {
      await admission.close();
      symbols.decode = decodeBefore;
      await pool.close();
    },
  };
}

/** Questions that share what they have read and summed. Top and Binaries sum what a flame graph does. */
function placeOf(
  rpc: QueryRpc,
  request: { readonly scope?: ScopeMessage | undefined; readonly groupBy?: readonly string[] },
): Place {
  const { selector = '', profileType = '' } = request.scope ?? {};
  const isTree = rpc === 'flameGraph' || rpc === 'top' || rpc === 'binaries';
  const scope = JSON.stringify([selector, profileType]);
  return { scope, question: JSON.stringify([isTree ? 'tree' : rpc, request.groupBy ?? [], scope]) };
}
