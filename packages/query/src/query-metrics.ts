import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { CACHES, createCacheCells, heldInCache, type CacheCells } from './cache-share.ts';
import type { QueryLimits } from './limits.ts';

/** What became of one block of one query. */
export type BlockOutcome =
  /** Decoded and summed. */
  | 'scanned'
  /** Answered from its footer alone. */
  | 'footer'
  /** Answered by a cached partial answer. */
  | 'partial'
  /** Nothing in it matches. */
  | 'skipped'
  /** Could not be read. */
  | 'missing';

/** What /metrics says about queries. */
export class QueryMetrics {
  readonly seconds: Histogram<'rpc' | 'outcome'>;
  readonly bytesRead: Counter;
  readonly blocks: Counter<'outcome'>;
  readonly cacheRequests: Counter<'cache' | 'result'>;
  readonly refused: Counter<'limit'>;
  readonly decodedBytes: Gauge;
  readonly delayed: Counter<'what'>;
  readonly running: Gauge;
  readonly waiting: Gauge;
  readonly workers: Gauge;
  readonly workerDeaths: Counter;
  readonly workerQuestions: Counter<'worker'>;

  /** `cells`: what the caches hold. */
  constructor(registry: Registry, cells: CacheCells = createCacheCells(1)) {
    const registers = [registry];
    this.seconds = new Histogram({
      name: 'fleetflame_query_seconds',
      help: 'Time from request to answer, waiting included.',
      labelNames: ['rpc', 'outcome'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    });
    this.bytesRead = new Counter({
      name: 'fleetflame_query_read_bytes_total',
      help: 'Bytes of block objects read by queries.',
      registers,
    });
    this.blocks = new Counter({
      name: 'fleetflame_query_blocks_total',
      help: 'Blocks of queries, by what became of them.',
      labelNames: ['outcome'],
      registers,
    });
    this.cacheRequests = new Counter({
      name: 'fleetflame_query_cache_requests_total',
      help: 'Look-ups in the caches.',
      labelNames: ['cache', 'result'],
      registers,
    });
    registry.registerMetric(
      new Gauge({
        name: 'fleetflame_query_cache_bytes',
        help: 'Bytes that the caches of all workers hold, roughly.',
        labelNames: ['cache'],
        registers: [],
        collect() {
          for (const cache of CACHES) this.set({ cache }, heldInCache(cells, cache));
        },
      }),
    );
    this.refused = new Counter({
      name: 'fleetflame_query_refused_total',
      help: 'Queries that a limit turned away.',
      labelNames: ['limit'],
      registers,
    });
    this.decodedBytes = new Gauge({
      name: 'fleetflame_query_decoded_bytes',
      help: 'Bytes of decoded blocks that queries hold beside the caches, roughly.',
      registers,
    });
    this.delayed = new Counter({
      name: 'fleetflame_query_delayed_total',
      help: 'What queries did later, to bound the memory of all of them: reads of blocks, and exports.',
      labelNames: ['what'],
      registers,
    });
    this.running = new Gauge({
      name: 'fleetflame_query_running',
      help: 'Queries that run now.',
      registers,
    });
    this.workers = new Gauge({
      name: 'fleetflame_query_workers',
      help: 'Threads that work on queries.',
      registers,
    });
    this.workerDeaths = new Counter({
      name: 'fleetflame_query_worker_deaths_total',
      help: 'Threads that worked on queries and ended by themselves; their queries are to be asked again.',
      registers,
    });
    this.workerQuestions = new Counter({
      name: 'fleetflame_query_worker_questions_total',
      help: 'Queries, by the number of the thread that they were given to.',
      labelNames: ['worker'],
      registers,
    });
    this.waiting = new Gauge({
      name: 'fleetflame_query_waiting',
      help: 'Queries that wait for others to end.',
      registers,
    });
  }

  /** `selector`: one of SELECTOR_LIMITS. */
  refuse(limit: keyof QueryLimits | 'selector'): void {
    this.refused.inc({ limit });
  }
}
