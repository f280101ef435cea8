/** debuginfod servers are often public: they are asked little, and not twice. */
export const DEBUGINFOD_LIMITS = {
  /** Build ids that wait to be asked about; more are asked about when they are met again. */
  queued: 4096,
  /** Files fetched at once. */
  concurrent: 2,
  /** An answer that makes no progress for this long is given up; servers unpack archives before they begin. */
  idleMs: 60_000,
  /** One file, from the question to its last byte. */
  fetchMs: 15 * 60_000,
  /** An agent may upload what was met for the first time: it is given this long. */
  delayMs: 30_000,
  /** What no server has is asked for again after this; kept in the storage. */
  notFoundMs: 24 * 3600_000,
  /** What could not be asked is asked again after this. */
  failedMs: 10 * 60_000,
  /** A server that fails is left alone for this long, then twice as long, and so on up to the second. */
  serverFirstPauseMs: 30_000,
  serverLongestPauseMs: 30 * 60_000,
  /** Build ids remembered as settled; the rest is looked up in the storage again. */
  remembered: 100_000,
} as const;

export type DebuginfodLimits = { readonly [name in keyof typeof DEBUGINFOD_LIMITS]: number };
