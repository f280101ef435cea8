/** Runs the background tasks one after the other, again and again, until it is stopped. */
import type { Logger } from 'pino';
import type { StoreMetrics } from '../store-metrics.ts';

/** A minute's segments are merged at most this long after they could be. */
const ROUND_MS = 10_000;

export interface MaintenanceTask {
  readonly name: string;
  /** At least so long between two runs. */
  readonly everyMs: number;
  run(nowMs: number): Promise<unknown>;
}

export interface TaskStatus {
  readonly name: string;
  /** Unix ms; 0: not yet. */
  readonly lastRunMs: number;
  readonly lastSeconds: number;
  /** Why the last run failed; undefined: it did not. */
  readonly lastError: string | undefined;
}

export class MaintenanceLoop {
  readonly #tasks: readonly MaintenanceTask[];
  readonly #metrics: StoreMetrics;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #status = new Map<string, TaskStatus>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(tasks: readonly MaintenanceTask[], metrics: StoreMetrics, log: Logger, now: () => number) {
    this.#tasks = tasks;
    this.#metrics = metrics;
    this.#log = log;
    this.#now = now;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  status(): TaskStatus[] {
    return this.#tasks.map(
      ({ name }) => this.#status.get(name) ?? { name, lastRunMs: 0, lastSeconds: 0, lastError: undefined },
    );
  }

  start(): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      void this.round().finally(() => {
        this.#timer = undefined;
        this.start();
      });
    }, ROUND_MS);
    this.#timer.unref();
  }

  /** One round of the tasks that are due; joins a round that is running. */
  round(): Promise<void> {
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #round(): Promise<void> {
    for (const task of this.#tasks) {
      if (this.#stopped) return;
      const nowMs = this.#now();
      const last = this.#status.get(task.name);
      if (last !== undefined && nowMs - last.lastRunMs < task.everyMs) continue;
      const started = performance.now();
      let lastError: string | undefined;
      try {
        await task.run(nowMs);
      } catch (error) {
        // A failed task is tried again in its next round; what it did so far was committed piecewise.
        lastError = error instanceof Error ? error.message : String(error);
        this.#metrics.maintenanceFailures.inc({ task: task.name });
        this.#log.error({ task: task.name, err: error }, 'maintenance failed');
      }
      const lastSeconds = (performance.now() - started) / 1000;
      this.#status.set(task.name, { name: task.name, lastRunMs: nowMs, lastSeconds, lastError });
    }
  }
}
