/**
 * What a block may hold. The writer refuses to exceed these as the reader does, so that no block is
 * written that cannot be read. A reader may be given lower ones: `decodeBlock(bytes, { limits })`.
 */
export const BLOCK_LIMITS = {
  /** A dataset takes about 100 bytes, so this is more than `datasets` of them. Read into memory whole. */
  footerBytes: 16 << 20,
  /** Services times profile types in one block; each costs a record batch. */
  datasets: 100_000,
  /** Rows of any table but points: keeps indices well inside 32 bits and a hostile row count from being believed. */
  rows: 1 << 26,
  /** Rows of the table of points, eight bytes each in memory and more: all that `inflatedBytes` has room for. */
  points: 1 << 28,
  /** All that decoding one block may allocate, whatever its compressed size says: the guard against bombs. */
  inflatedBytes: 2 ** 31,
  /** UTF-16 units of one string. C++ symbols reach 100,000. */
  stringLength: 1 << 20,
  /** Kubernetes and OpenTelemetry together name about 60. */
  labelsPerSeries: 256,
  /** Frames of one stack. Deep recursion in Java and Python stays below 4,096; a flame table's depth is u16. */
  stackDepth: 16_384,
  /**
   * What a profile may be spread over, ms: a question reads so much more before its range. Profilers send one a
   * minute or more often; what took longer is stored as several.
   */
  profileDurationMs: 900_000,
  /** Counter names of the agent: a dozen. */
  lossCauses: 1024,
  /** Sample times are u32 milliseconds from the block's start: 2^32 ms are 49.7 days. */
  timeSpanMs: 2 ** 32,
} as const;

export type BlockLimits = { readonly [name in keyof typeof BLOCK_LIMITS]: number };
