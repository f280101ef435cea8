import { FleetflameError } from '@fleetflame/profile';
import type { QueryLimits } from './limits.ts';
import type { QueryMetrics } from './query-metrics.ts';

/** Lets so many queries run, lets so many wait in order, and refuses the rest at once. */
export class Admission {
  readonly #limits: QueryLimits;
  readonly #metrics: QueryMetrics;
  /** In the order of arrival; called with true to hand a slot over, with false to give up. */
  readonly #waiting = new Set<(granted: boolean) => void>();
  #running = 0;
  #idle: (() => void)[] = [];
  #closed = false;

  constructor(limits: QueryLimits, metrics: QueryMetrics) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /**
   * Runs the work when its turn comes; a query whose caller is gone by then does not run. The work's signal is
   * aborted when the caller goes, or when it has run for too long.
   */
  async run<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    await this.#enter(signal);
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(this.#tooLong()), this.#limits.runMs);
    try {
      return await work(AbortSignal.any([signal, deadline.signal]));
    } finally {
      clearTimeout(timer);
      this.#leave();
    }
  }

  /** No further queries; resolves when the running ones have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of this.#waiting) wake(false);
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #enter(signal: AbortSignal): Promise<void> {
    this.#checkOpen();
    if (this.#running >= this.#limits.running) {
      if (this.#waiting.size >= this.#limits.waiting) {
        this.#metrics.refuse('waiting');
        throw new FleetflameError(
          'overloaded',
          `${this.#running} queries are running and ${this.#waiting.size} are waiting: try again in a few seconds.`,
        );
      }
      const granted = await this.#wait(signal);
      if (granted && (signal.aborted || this.#closed)) this.#leave();
      this.#checkOpen();
      throwIfAborted(signal);
      return;
    }
    this.#running++;
    this.#metrics.running.set(this.#running);
  }

  async #wait(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const wake = (granted: boolean): void => {
        signal.removeEventListener('abort', giveUp);
        this.#waiting.delete(wake);
        this.#metrics.waiting.set(this.#waiting.size);
        resolve(granted);
      };
      const giveUp = (): void => wake(false);
      this.#waiting.add(wake);
      this.#metrics.waiting.set(this.#waiting.size);
      signal.addEventListener('abort', giveUp);
    });
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next !== undefined) {
      // The slot is handed over, so that nobody who comes now can take it first.
      next(true);
      return;
    }
    this.#running--;
    this.#metrics.running.set(this.#running);
    if (this.#running > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle = [];
  }

  #tooLong(): FleetflameError {
    this.#metrics.refuse('runMs');
    return new FleetflameError(
      'limit_exceeded',
      `The query was given up after ${this.#limits.runMs / 1000} s: shorten the time range, or narrow the selector.`,
    );
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new FleetflameError('unavailable', 'The server is stopping: try again in a moment.');
  }
}

export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof FleetflameError) throw signal.reason;
  throw new FleetflameError('cancelled', 'The caller no longer waits for the answer.');
}
