/** What a folded text may cost: it is untrusted like any upload. */
export const FOLDED_LIMITS = {
  /** UTF-16 units: bounds memory and time, every line is read once. */
  textLength: 128 << 20,
  lines: 2_000_000,
  /** Frames of one line. */
  stackDepth: 4_096,
  /** UTF-16 units of one frame. */
  frameLength: 65_536,
  /** Distinct stack prefixes: each takes about 30 bytes and comes from as little as two characters. */
  stacks: 4_000_000,
} as const;
