/**
 * Background work as rows. A job is leased for a while to one process at a time; the lease has a number,
 * and every transaction that makes the job's result count checks that the number is still the last one.
 *
 *   add ──▶ waiting ──claim──▶ leased ──▶ ended (outcome)
 *             ▲                  │
 *             └── retry, expiry ─┘        a recurring job goes back to waiting each time
 *
 * A process that was stopped and comes back later than its lease finds itself fenced out: nothing that
 * it does counts, and it may have done it.
 */
export interface JobQueue {
  /** The job will be there; one that is there already stays as it is. */
  ensure(job: NewJob, nowMs: number): Promise<void>;
  /** Adds a job that will replace these blocks, unless one of them is not live or has a job; then false. */
  add(job: NewJob, inputs: readonly string[], nowMs: number): Promise<boolean>;
  /** Of the jobs that may be done now, the first by priority; undefined: there is none. */
  claim(filter: JobFilter, claim: Claim): Promise<LeasedJob | undefined>;
  /** False: fenced out. */
  renew(lease: Lease, untilMs: number): Promise<boolean>;
  /** Ends the job and lets go of its blocks. False: fenced out. */
  finish(lease: Lease, outcome: string, nowMs: number): Promise<boolean>;
  /** Gives the job back, to be done again from `notBeforeMs`. */
  giveBack(lease: Lease, again: Again): Promise<boolean>;
  /** Open jobs, those underway and the next ones first; then the last ones that ended. */
  list(limit: number, kind?: string): Promise<JobStatus[]>;
  totals(nowMs: number): Promise<JobTotals[]>;
  /** Jobs that ended before are forgotten; how many. */
  purge(endedBeforeMs: number): Promise<number>;
}

export interface NewJob {
  readonly id: string;
  readonly kind: string;
  /** What it is about, for people. */
  readonly subject: string;
  /** JSON, for whoever does it. */
  readonly payload: string;
  /** Smaller first. */
  readonly priority: number;
}

export interface JobFilter {
  readonly kind: string;
  /** Default: any of the kind. */
  readonly id?: string;
}

export interface Claim {
  /** Who asks, for people. */
  readonly owner: string;
  readonly nowMs: number;
  readonly leaseMs: number;
  /**
   * No job waits and no lease lasts for longer: what says so was written by a clock that was ahead, and counts as due.
   * Whoever still holds such a lease is fenced out.
   */
  readonly longestMs: number;
  /** How long a job that dies with its process waits, by how often that happened. */
  readonly backOffMs: (attempts: number) => number;
}

export interface Lease {
  readonly id: string;
  readonly lease: number;
}

export interface LeasedJob extends Lease {
  readonly kind: string;
  readonly subject: string;
  readonly payload: string;
  /** This one counts. */
  readonly attempts: number;
}

export interface Again {
  readonly nowMs: number;
  readonly notBeforeMs: number;
  /** Undefined: it went well, and attempts count from none again. */
  readonly error: string | undefined;
}

export interface JobStatus {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly state: 'waiting' | 'leased' | 'ended';
  readonly owner: string;
  readonly attempts: number;
  readonly lastError: string;
  readonly createdMs: number;
  /** 0: not yet. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly notBeforeMs: number;
  readonly outcome: string | undefined;
}

export interface JobTotals {
  readonly kind: string;
  readonly waiting: number;
  readonly leased: number;
  /** Open ones that have failed before. */
  readonly failing: number;
}
