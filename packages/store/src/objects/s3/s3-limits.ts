/** What talking to an object store may cost. What a limit turned away is counted under its name. */
export interface S3Limits {
  /**
   * Requests in flight per process. A 64 KiB read from S3 takes some 20 ms: 64 of them are 200 MB/s,
   * more than one process decodes.
   */
  readonly running: number;
  /** Requests that wait for one to end; further ones are refused as overloaded. */
  readonly waiting: number;
  /** From the call to its answer, all attempts included, ms. An agent gives a write a minute. */
  readonly totalMs: number;
  /** Connect, TLS included, ms: a host that is gone does not answer at all. */
  readonly connectMs: number;
  /** One attempt, ms, for a request without a body to speak of. */
  readonly attemptMs: number;
  /** Added to `attemptMs` for what is sent or received: the slowest link that is still worth waiting for. */
  readonly bytesPerSecond: number;
  /** Attempts of one call. With the waits below they reach `totalMs` against a server that fails at once. */
  readonly attempts: number;
  /** The wait before attempt n is random, up to firstWaitMs times 2^(n-1), at most lastWaitMs. */
  readonly firstWaitMs: number;
  readonly lastWaitMs: number;
  /** Second requests beside a slow first one, as a share of all: a server that is slow as a whole is not asked twice. */
  readonly hedgeShare: number;
  /** A second request is not sent earlier than this, ms. */
  readonly hedgeAfterMs: number;
  /** Largest object, bytes: what S3 takes in one request. Blocks stay far below. */
  readonly objectBytes: number;
  /** Keys of one page of a list: the most that S3 gives. */
  readonly pageKeys: number;
  /** Largest request that is sent or read twice, bytes. */
  readonly hedgeBytes: number;
}

export const S3_LIMITS: S3Limits = {
  running: 64,
  waiting: 2048,
  totalMs: 30_000,
  connectMs: 3000,
  attemptMs: 5000,
  bytesPerSecond: 2 << 20,
  attempts: 24,
  firstWaitMs: 50,
  lastWaitMs: 3000,
  hedgeShare: 0.05,
  hedgeAfterMs: 10,
  hedgeBytes: 8 << 20,
  objectBytes: 5 * 2 ** 30,
  pageKeys: 1000,
};
