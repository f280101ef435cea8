/** How background work is paced, ms. Processes that share a catalog may have different ones. */
export interface MaintenanceLimits {
  /** From the end of a round to the next: a minute's segments are merged at most this long after they could be. */
  readonly roundMs: number;
  /** So long after a round began it takes no further work before it looks at its tasks again. */
  readonly workMs: number;
  /** A process that says nothing for so long has lost its job: longer than a pause of garbage collection or a slow disk. */
  readonly leaseMs: number;
  /** The wait before a job that failed is tried again; doubled each time, up to `maxRetryMs`. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
}

export const MAINTENANCE_LIMITS: MaintenanceLimits = {
  roundMs: 10_000,
  workMs: 60_000,
  leaseMs: 60_000,
  retryMs: 60_000,
  maxRetryMs: 6 * 3_600_000,
};
