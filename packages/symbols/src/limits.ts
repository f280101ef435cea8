/** What is turned away, and why. Counted in fleetflame_symbols_refused_total{reason}, by the limit's name. */
export const SYMBOL_LIMITS = {
  /** One upload; its conversion may take four times as much memory. Agents cut binaries down: node becomes 19 MB. */
  uploadBytes: 256 * 1024 * 1024,
  /** One part of an upload; Connect holds a whole message in memory. */
  partBytes: 4 * 1024 * 1024,
  /** Uploads under way at once. Agents upload one file at a time. */
  uploads: 64,
  /** Scratch space of all uploads under way and waiting for conversion together. */
  scratchBytes: 1024 * 1024 * 1024,
  /** Conversions waiting: one runs at a time, each takes a second or so. */
  queuedConversions: 32,
  /** Build ids in one request. */
  buildIds: 4096,
  /** Binaries in an answer to Status without ids. */
  statuses: 100_000,
  /** Characters of a file name that are kept. */
  fileNameLength: 255,
} as const;

/** An upload without a new part for this long is given up; its agent may start over. */
export const UPLOAD_IDLE_MS = 60_000;
/**
 * Who was told that a binary is wanted is the only one for this long. Short, because agents that are told no do not
 * ask again for hours: a host that dies, or an agent that starts again, must not leave a binary without symbols.
 */
export const LEASE_MS = 2_000;
/** An upload whose last part is younger counts as alive: others are not asked. After that anybody may take it over. */
export const UPLOAD_ALIVE_MS = 5_000;
/** A binary whose conversion failed is wanted again after this long: another host may have an intact file. */
export const FAILURE_RETRY_MS = 24 * 3600_000;
/** The longest that one conversion may take: Chromium takes 20 s. */
export const CONVERSION_MS = 180_000;
