/**
 * Background work of one process, taken from the catalog's jobs and done one after the other until it
 * is stopped. Every process that does maintenance runs such a loop; a job is leased to one of them at a
 * time, and renewed while it runs.
 *
 *   tasks   recurring, one row each, which is there for ever: plan, expire, remove, sweep, recheck
 *   work    jobs that end: merges, small ones first
 */
import type { Logger } from 'pino';
import type { Again, JobQueue, JobStatus, Lease, LeasedJob } from '../catalog/job-queue.ts';
import type { StoreMetrics } from '../store-metrics.ts';
import { MAINTENANCE_LIMITS, type MaintenanceLimits } from './maintenance-limits.ts';

/** Of a lease in its time: three of them may fail. */
const RENEWALS = 4;
/** Jobs that ended stay visible for so long. */
const ENDED_MS = 86_400_000;

export interface MaintenanceTask {
  readonly name: string;
  /** At least so long between two runs. */
  readonly everyMs: number;
  run(nowMs: number): Promise<unknown>;
}

export interface MaintenanceWork {
  readonly kind: string;
  run(job: LeasedJob, nowMs: number): Promise<WorkEnd>;
}

/**
 * `ended`: what it did has ended it. An outcome: end it. `retry`: not done, for this reason; `release`:
 * not done, and nobody's fault.
 */
export type WorkEnd =
  | { readonly kind: 'ended' | 'release' }
  | { readonly kind: 'outcome'; readonly outcome: string }
  | { readonly kind: 'retry'; readonly reason: string };

export interface TaskStatus {
  readonly name: string;
  /** Unix ms; 0: not yet. */
  readonly lastRunMs: number;
  readonly lastSeconds: number;
  /** Why the last run failed; undefined: it did not. */
  readonly lastError: string | undefined;
}

export interface MaintenanceOptions {
  readonly jobs: JobQueue;
  readonly tasks: readonly MaintenanceTask[];
  readonly work: readonly MaintenanceWork[];
  /** Kinds of tasks and work that nobody is to take up. */
  readonly paused: () => Promise<ReadonlySet<string>>;
  /** Who this is, for people. */
  readonly owner: string;
  readonly metrics: StoreMetrics;
  readonly log: Logger;
  /** Unix ms, by a clock that all who share the jobs agree on. */
  readonly now: () => number;
  /** Overrides of MAINTENANCE_LIMITS. */
  readonly limits?: Partial<MaintenanceLimits>;
}

const TASK = 'task';

export class MaintenanceLoop {
  readonly #options: MaintenanceOptions;
  readonly #limits: MaintenanceLimits;
  #prepared = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
    this.#limits = { ...MAINTENANCE_LIMITS, ...options.limits };
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  start(): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      void this.round().finally(() => {
        this.#timer = undefined;
        this.start();
      });
    }, this.#limits.roundMs);
    this.#timer.unref();
  }

  /** One round of what is due; joins a round that is running. Failures are logged, counted and seen in the jobs. */
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
    const { tasks, work, paused } = this.#options;
    const started = performance.now();
    const late = (): boolean => performance.now() - started > this.#limits.workMs;
    let still: ReadonlySet<string> | undefined;
    await this.#guard('pauses', async () => {
      still = await paused();
    });
    // Who cannot be asked may have said stop.
    if (still === undefined) return;
    for (const task of tasks) {
      if (this.#stopped) return;
      if (still.has(task.name)) continue;
      await this.#guard(task.name, () => this.#task(task));
    }
    for (const one of work) {
      let more = !still.has(one.kind);
      while (more && !this.#stopped && !late()) {
        more = false;
        await this.#guard(one.kind, async () => {
          more = await this.#next(one);
        });
      }
    }
  }

  /** What the catalog itself refuses here is tried again in the next round. */
  async #guard(task: string, run: () => Promise<void>): Promise<void> {
    try {
      if (!this.#prepared) await this.#prepare();
      await run();
    } catch (error) {
      this.#failed(task, error);
    }
  }

  async #prepare(): Promise<void> {
    const { jobs, tasks, now } = this.#options;
    for (const [priority, { name }] of tasks.entries()) {
      await jobs.ensure({ id: taskId(name), kind: TASK, subject: name, payload: '', priority }, now());
    }
    this.#prepared = true;
  }

  async #task(task: MaintenanceTask): Promise<void> {
    const { jobs, now } = this.#options;
    const job = await this.#claim({ kind: TASK, id: taskId(task.name) });
    if (job === undefined) return;
    const nowMs = now();
    const error = await this.#whileRenewed(job, async () => {
      try {
        await task.run(nowMs);
        return undefined;
      } catch (thrown) {
        // What it did so far was committed piecewise.
        this.#failed(task.name, thrown);
        return messageOf(thrown);
      }
    });
    const endedMs = now();
    await jobs.giveBack(job, { nowMs: endedMs, notBeforeMs: nowMs + task.everyMs, error });
    await jobs.purge(endedMs - ENDED_MS);
  }

  /** Does the first job of the kind that is due; false: there is none. */
  async #next(work: MaintenanceWork): Promise<boolean> {
    const { jobs, now } = this.#options;
    const { kind } = work;
    const job = await this.#claim({ kind });
    if (job === undefined) return false;
    const end = await this.#whileRenewed(job, async (): Promise<WorkEnd> => {
      try {
        return await work.run(job, now());
      } catch (error) {
        this.#failed(kind, error);
        return { kind: 'retry', reason: messageOf(error) };
      }
    });
    const nowMs = now();
    if (end.kind === 'outcome') await jobs.finish(job, end.outcome, nowMs);
    if (end.kind === 'release') await jobs.giveBack(job, { nowMs, notBeforeMs: nowMs, error: undefined });
    if (end.kind === 'retry') {
      const { log } = this.#options;
      log.error({ job: job.subject, attempts: job.attempts, reason: end.reason }, 'a job was not done');
      const again: Again = { nowMs, notBeforeMs: nowMs + this.#backOffMs(job.attempts), error: end.reason };
      await jobs.giveBack(job, again);
    }
    return end.kind !== 'release';
  }

  #claim(filter: { readonly kind: string; readonly id?: string }): Promise<LeasedJob | undefined> {
    const { jobs, owner, now } = this.#options;
    const { leaseMs, maxRetryMs } = this.#limits;
    // Twice, since processes that share the jobs may have other limits and clocks that differ.
    const longestMs = 2 * Math.max(leaseMs, maxRetryMs);
    const backOffMs = (attempts: number): number => this.#backOffMs(attempts);
    return jobs.claim(filter, { owner, nowMs: now(), leaseMs, longestMs, backOffMs });
  }

  #backOffMs(attempts: number): number {
    const { retryMs, maxRetryMs } = this.#limits;
    return Math.min(retryMs * 2 ** (attempts - 1), maxRetryMs);
  }

  /** A renewal that fails is no reason to stop: whether the lease still holds is checked where it counts. */
  async #whileRenewed<T>(lease: Lease, run: () => Promise<T>): Promise<T> {
    const { jobs, now, log } = this.#options;
    const { leaseMs } = this.#limits;
    const timer = setInterval(() => {
      jobs.renew(lease, now() + leaseMs).catch((error: unknown) => {
        log.warn({ err: error, job: lease.id }, 'a lease could not be renewed');
      });
    }, leaseMs / RENEWALS);
    timer.unref();
    try {
      return await run();
    } finally {
      clearInterval(timer);
    }
  }

  #failed(task: string, error: unknown): void {
    const { metrics, log } = this.#options;
    metrics.maintenanceFailures.inc({ task });
    log.error({ task, err: error }, 'maintenance failed');
  }
}

export function taskStatus(jobs: readonly JobStatus[]): TaskStatus[] {
  return jobs
    .filter((job) => job.kind === TASK)
    .map(({ subject, startedMs, endedMs, lastError }) => ({
      name: subject,
      lastRunMs: startedMs,
      lastSeconds: Math.max(0, endedMs - startedMs) / 1000,
      lastError: lastError === '' ? undefined : lastError,
    }));
}

function taskId(name: string): string {
  return `${TASK}/${name}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
