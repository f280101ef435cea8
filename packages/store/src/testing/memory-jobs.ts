/** The jobs of a MemoryCatalog; see there. */
import type {
  Again,
  Claim,
  JobFilter,
  JobQueue,
  JobStatus,
  JobTotals,
  Lease,
  LeasedJob,
  NewJob,
} from '../catalog/job-queue.ts';
import { ordered, type MemoryBlock } from './memory-blocks.ts';

interface MemoryJob extends NewJob {
  lease: number;
  owner: string;
  leaseUntilMs: number;
  notBeforeMs: number;
  attempts: number;
  lastError: string;
  readonly createdMs: number;
  startedMs: number;
  endedMs: number;
  outcome: string | undefined;
}

export class MemoryJobs implements JobQueue {
  readonly #blocks: ReadonlyMap<string, MemoryBlock>;
  readonly #jobs = new Map<string, MemoryJob>();

  constructor(blocks: ReadonlyMap<string, MemoryBlock>) {
    this.#blocks = blocks;
  }

  ensure(job: NewJob, nowMs: number): Promise<void> {
    if (!this.#jobs.has(job.id)) {
      this.#jobs.set(job.id, {
        ...job,
        lease: 0,
        owner: '',
        leaseUntilMs: 0,
        notBeforeMs: nowMs,
        attempts: 0,
        lastError: '',
        createdMs: nowMs,
        startedMs: 0,
        endedMs: 0,
        outcome: undefined,
      });
    }
    return Promise.resolve();
  }

  async add(job: NewJob, inputs: readonly string[], nowMs: number): Promise<boolean> {
    const blocks = inputs.map((id) => this.#blocks.get(id));
    if (blocks.some((block) => block?.deletedMs !== undefined || block?.jobId !== undefined)) return false;
    if (blocks.includes(undefined)) return false;
    for (const block of blocks) block!.jobId = job.id;
    await this.ensure(job, nowMs);
    return true;
  }

  claim(
    { kind, id }: JobFilter,
    { owner, nowMs, leaseMs, longestMs, backOffMs }: Claim,
  ): Promise<LeasedJob | undefined> {
    const due = [...this.#jobs.values()].filter(
      (job) =>
        job.kind === kind &&
        (id === undefined || job.id === id) &&
        job.outcome === undefined &&
        (job.notBeforeMs <= nowMs || job.notBeforeMs > nowMs + longestMs) &&
        (job.leaseUntilMs <= nowMs || job.leaseUntilMs > nowMs + longestMs),
    );
    const [job] = ordered(due, (one) => one.priority);
    if (job === undefined) return Promise.resolve(undefined);
    job.lease++;
    job.owner = owner;
    job.attempts++;
    job.startedMs = nowMs;
    job.leaseUntilMs = nowMs + leaseMs;
    job.notBeforeMs = nowMs + backOffMs(job.attempts);
    const { subject, payload, attempts, lease } = job;
    return Promise.resolve({ id: job.id, kind, subject, payload, attempts, lease });
  }

  renew(lease: Lease, untilMs: number): Promise<boolean> {
    const job = this.#held(lease);
    if (job !== undefined) job.leaseUntilMs = untilMs;
    return Promise.resolve(job !== undefined);
  }

  finish(lease: Lease, outcome: string, nowMs: number): Promise<boolean> {
    return Promise.resolve(this.end(lease, outcome, nowMs));
  }

  giveBack(lease: Lease, { nowMs, notBeforeMs, error }: Again): Promise<boolean> {
    const job = this.#held(lease);
    if (job !== undefined) {
      job.leaseUntilMs = 0;
      job.notBeforeMs = notBeforeMs;
      job.endedMs = nowMs;
      job.lastError = error ?? '';
      if (error === undefined) job.attempts = 0;
    }
    return Promise.resolve(job !== undefined);
  }

  list(limit: number, kind?: string): Promise<JobStatus[]> {
    const jobs = [...this.#jobs.values()].filter((job) => kind === undefined || job.kind === kind);
    const open = ordered(
      jobs.filter(isOpen),
      (job) => -job.leaseUntilMs,
      (job) => job.priority,
    ).slice(0, limit);
    const ended = ordered(
      jobs.filter((job) => !isOpen(job)),
      (job) => -job.endedMs,
    );
    return Promise.resolve(
      [...open, ...ended.slice(0, Math.max(1, limit - open.length))].map((job) => ({
        id: job.id,
        kind: job.kind,
        subject: job.subject,
        state: isOpen(job) ? (job.leaseUntilMs > 0 ? 'leased' : 'waiting') : 'ended',
        owner: job.owner,
        attempts: job.attempts,
        lastError: job.lastError,
        createdMs: job.createdMs,
        startedMs: job.startedMs,
        endedMs: job.endedMs,
        notBeforeMs: job.notBeforeMs,
        outcome: job.outcome,
      })),
    );
  }

  totals(nowMs: number): Promise<JobTotals[]> {
    const totals = new Map<string, { kind: string; waiting: number; leased: number; failing: number }>();
    for (const job of this.#jobs.values()) {
      if (job.outcome !== undefined) continue;
      const { kind } = job;
      const sums = totals.get(kind) ?? { kind, waiting: 0, leased: 0, failing: 0 };
      totals.set(kind, sums);
      sums[job.leaseUntilMs > nowMs ? 'leased' : 'waiting']++;
      if (job.lastError !== '') sums.failing++;
    }
    return Promise.resolve([...totals.values()].toSorted((a, b) => (a.kind < b.kind ? -1 : 1)));
  }

  purge(endedBeforeMs: number): Promise<number> {
    let purged = 0;
    for (const { id, outcome, endedMs } of this.#jobs.values()) {
      if (outcome === undefined || endedMs >= endedBeforeMs) continue;
      this.#jobs.delete(id);
      purged++;
    }
    return Promise.resolve(purged);
  }

  /** False: fenced out. */
  end(lease: Lease, outcome: string, nowMs: number): boolean {
    const job = this.#held(lease);
    if (job === undefined) return false;
    job.outcome = outcome;
    job.endedMs = nowMs;
    job.leaseUntilMs = 0;
    job.lastError = '';
    for (const block of this.#blocks.values()) if (block.jobId === job.id) block.jobId = undefined;
    return true;
  }

  isHeld(lease: Lease): boolean {
    return this.#held(lease) !== undefined;
  }

  #held({ id, lease }: Lease): MemoryJob | undefined {
    const job = this.#jobs.get(id);
    return job?.lease === lease && job.outcome === undefined ? job : undefined;
  }
}

function isOpen(job: MemoryJob): boolean {
  return job.outcome === undefined;
}
