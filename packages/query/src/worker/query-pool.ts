/**
 * Which thread works on a question. The first is there from the beginning; another is begun when all are busy, up to a
 * limit, so that who asks one question after another has all caches in one place, and many who ask use all CPUs.
 *
 *   asked before by these words ──▶ where it was worked on, its answer is in the caches there ┐
 *   about the same scope        ──▶ where that was: the blocks are                            ├▶ unless that one has much more to do
 *   else                        ──▶ the first that has least to do                            ┘
 */
import { createHash } from 'node:crypto';
import type { ObjectStoreConfig } from '@fleetflame/store';
import { SymbolTable } from '@fleetflame/symbols';
import { clearCacheCells, type CacheCells } from '../cache-share.ts';
import type { Question } from '../engine.ts';
import type { QueryLimits } from '../limits.ts';
import type { QueryMetrics } from '../query-metrics.ts';
import { QueryThread, type ThreadOwner } from './query-thread.ts';

/** So many calls more than the least busy thread has are too many to wait behind. */
const MUCH_MORE = 2;
/** Questions and scopes whose thread is remembered: some 100 bytes each. */
const REMEMBERED = 10_000;
const RESTART_MS = 1000;

/** What a question is asked about, for choosing its thread. */
export interface Place {
  /** The whole question but for times. */
  readonly question: string;
  /** Selector and profile type. */
  readonly scope: string;
}

export interface PoolOptions {
  readonly limits: QueryLimits;
  readonly objects: ObjectStoreConfig;
  readonly cells: CacheCells;
  readonly metrics: QueryMetrics;
  readonly owner: Omit<ThreadOwner, 'pressed' | 'died'>;
}

/** More threads than queries that run at once would have nothing to do. */
export function threadsOf({ workers, running }: QueryLimits): number {
  return Math.max(1, Math.min(workers, running));
}

export class QueryPool {
  readonly #options: PoolOptions;
  readonly #owner: ThreadOwner;
  readonly #threads: QueryThread[] = [];
  /** By hash, in the order of use. */
  readonly #places = new Map<string, QueryThread>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#owner = {
      ...options.owner,
      pressed: (thread) => {
        for (const other of this.#threads) if (other !== thread) other.trim();
      },
      died: (thread, error) => this.#replace(thread, error),
    };
    this.#start(0);
  }

  async answer(question: Question, place: Place, signal: AbortSignal): Promise<Uint8Array> {
    const thread = this.#choose(place);
    this.#options.metrics.workerQuestions.inc({ worker: String(thread.number) });
    return await thread.answer(question, signal);
  }

  async ready(): Promise<void> {
    await this.#threads[0]?.loaded();
  }

  async decodeSymbols(key: string): Promise<SymbolTable> {
    return new SymbolTable(await this.#leastBusy().decodeSymbols(key));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }

  #choose({ question, scope }: Place): QueryThread {
    const least = this.#leastBusy();
    const isFree = (thread: QueryThread | undefined): thread is QueryThread =>
      thread !== undefined && thread.running < least.running + MUCH_MORE;
    const keys = [hashOf(question), hashOf(scope)];
    const chosen = keys.map((key) => this.#places.get(key)).find(isFree) ?? least;
    for (const key of keys) this.#remember(key, chosen);
    // For those who come next: until it is there, this one does it.
    if (chosen.running > 0 && this.#threads.every((thread) => thread.isReady && thread.running > 0))
      this.#start(this.#threads.length);
    return chosen;
  }

  #leastBusy(): QueryThread {
    const [first, ...others] = this.#threads;
    if (first === undefined) throw new Error('there is always a thread');
    let least = first;
    for (const thread of others) if (thread.isReady && thread.running < least.running) least = thread;
    return least;
  }

  #start(thread: number): void {
    const { limits, objects, cells, metrics, owner } = this.#options;
    if (this.#closed || thread >= threadsOf(limits)) return;
    const settings = { limits, objects, cells, thread, logLevel: owner.log.level };
    this.#threads[thread] = new QueryThread(settings, this.#owner);
    metrics.workers.set(this.#threads.length);
  }

  #replace(thread: QueryThread, error: Error): void {
    const { cells, metrics, owner } = this.#options;
    metrics.workerDeaths.inc();
    owner.log.error({ err: error }, 'a thread that works on queries ended: it is replaced');
    clearCacheCells(cells, thread.number);
    for (const [key, at] of this.#places) if (at === thread) this.#places.delete(key);
    // What ends before it has begun does so again: once a second is often enough.
    if (thread.isReady) this.#start(thread.number);
    else setTimeout(() => this.#start(thread.number), RESTART_MS).unref();
  }

  #remember(key: string, thread: QueryThread): void {
    this.#places.delete(key);
    this.#places.set(key, thread);
    for (const oldest of this.#places.keys()) {
      if (this.#places.size <= REMEMBERED) break;
      this.#places.delete(oldest);
    }
  }
}

function hashOf(text: string): string {
  return createHash('sha1').update(text).digest('base64');
}
