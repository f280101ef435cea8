/** What one file of any format but pprof (pprof/limits.ts) may cost: files come from anybody who may push. */
export const IMPORT_LIMITS = {
  /** Bytes as sent. */
  compressedBytes: 32 << 20,
  /** Bytes behind compression: bounds time and memory, every byte is read a few times. */
  inflatedBytes: 128 << 20,
  /** Bytes of a file that is JSON: parsed, it takes up to twenty times as many. */
  jsonBytes: 32 << 20,
  /** Samples, or lines of a format with a sample in each. */
  samples: 2_000_000,
  /** Values that are not 0: each takes 20 bytes until the block is built. */
  points: 4_000_000,
  /** Frames kept of one stack, as many as a block holds: deeper ones lose the frames in their middle. */
  stackDepth: 16_384,
  /** Distinct stack prefixes: each takes about 30 bytes and a microsecond. */
  stacks: 4_000_000,
  /** Distinct frames. */
  frames: 2_000_000,
  /** UTF-16 units kept of a name. */
  nameLength: 65_536,
  /** UTF-16 units of one line of a text format. */
  lineLength: 8 << 20,
  /** Types of values in one file. */
  types: 64,
  /** Series: types times threads. With more, threads are not told apart. */
  series: 20_000,
  labelNameLength: 256,
  labelValueLength: 2_048,
} as const;

export type ImportLimits = { readonly [Name in keyof typeof IMPORT_LIMITS]: number };

export type ImportLimitName = keyof ImportLimits;
