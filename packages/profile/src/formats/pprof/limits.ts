/**
 * What one pprof file may cost. Files come from anybody who may push: each limit stops one way in
 * which a small file would take much memory or time. Callers may lower them; whoever turns a file
 * away counts it by the error's code, limit_exceeded, and names the limit to the sender. Limits on what is
 * kept (of a stack, a string, a label) turn nothing away: what is left out is in the import's changes.
 */
export const PPROF_LIMITS = {
  /** Bytes as sent. A day of a large Go service is about 5 MB. */
  compressedBytes: 32 << 20,
  /** Bytes behind gzip, which can be 1,000 times as many: also bounds the time, every byte is read once. */
  inflatedBytes: 128 << 20,
  /** sample_type entries: heap profiles have 4; each multiplies the points. */
  sampleTypes: 16,
  samples: 2_000_000,
  /** Values that are not 0: each takes 20 bytes until the block is built. */
  points: 8_000_000,
  /** Frames kept of one sample, as many as a block holds: deeper stacks lose the frames in their middle. */
  stackDepth: 16_384,
  /**
   * Distinct stack prefixes: each takes about 30 bytes and a microsecond, however few bytes of the file
   * it came from, so this bounds the time that one file can hold a server up to about four seconds.
   */
  stacks: 4_000_000,
  locations: 2_000_000,
  /** Inlined calls kept at one address. */
  linesPerLocation: 1_024,
  functions: 2_000_000,
  mappings: 65_536,
  strings: 4_000_000,
  /** Bytes kept of one string: longer than any symbol that compilers emit for real code. */
  stringBytes: 65_536,
  /** Labels kept of one sample. */
  labelsPerSample: 64,
  /** UTF-16 units kept of a label's name and value. */
  labelNameLength: 256,
  labelValueLength: 2_048,
  /**
   * Distinct label sets times sample types: a label with an id per request makes a series per sample. The
   * labels with the most values are left out then.
   */
  series: 65_536,
} as const;

export type PprofLimits = { readonly [Name in keyof typeof PPROF_LIMITS]: number };
