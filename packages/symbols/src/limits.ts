/** What is turned away, and why. Counted in fleetflame_symbols_refused_total{reason}, by the limit's name. */
export const SYMBOL_LIMITS = {
  /**
   * One upload. Debug sections of libc are 4 MB, of node 20, of a browser 1.5 GB (compressed); what is larger comes
   * without its debug sections.
   */
  uploadBytes: 1024 * 1024 * 1024,
  /** A supplementary file (dwz), which is in memory while it is stored. The largest of Debian has 60 MB. */
  supplementBytes: 128 * 1024 * 1024,
  /** One part of an upload; Connect holds a whole message in memory. */
  partBytes: 4 * 1024 * 1024,
  /** Parts of one upload: of the smallest size that is sensible, 256 KiB, with the largest upload. */
  parts: 4096,
  /** Uploads that one server takes at once; agents upload one file at a time. The rest comes back later. */
  uploads: 64,
  /** Parts of all uploads of a fleet that are kept at once. */
  keptBytes: 8 * 1024 * 1024 * 1024,
  /** Conversions waiting on one server: one runs at a time, each takes a second or so. */
  queuedConversions: 32,
  /** Build ids in one request. */
  buildIds: 4096,
  /** Binaries in an answer to Status without ids. */
  statuses: 100_000,
  /** Characters of a file name that are kept. */
  fileNameLength: 255,
} as const;

export type SymbolLimits = { readonly [name in keyof typeof SYMBOL_LIMITS]: number };

/**
 * Who uploads for a build id is the only one for this long after his last part; then anybody may go on where he
 * stopped. Renewed when half of it is over.
 */
export const LEASE_MS = 20_000;
/**
 * A lease is renewed only for who sent so many bytes since it was last: 16 KiB a second. Agents send 4 MiB a second, and
 * who sends nothing would keep a build id for himself.
 */
export const RENEWAL_BYTES = 160 << 10;
/** Who held a lease to its end while others waited, and did not end his upload, lets them go first for this long. */
export const BARRED_MS = 60_000;
/** One address has at most this part of `uploads` and of `keptBytes` (where addresses are known). */
export const ADDRESS_SHARE = 1 / 4;
/** Agents that are told that another host uploads ask again after this. */
export const LATER_MS = 30_000;
/** Parts that nobody has added to for this long are removed: servers and agents may start again meanwhile. */
export const ABANDONED_MS = 3600_000;
/** Who asks for the end of an upload waits this long for the conversion, then is told that it goes on. */
export const CONVERSION_POLL_MS = 15_000;
/** A file that a sender sent in vain is wanted from him again after this long. Others are asked at once. */
export const FAILURE_RETRY_MS = 24 * 3600_000;
/** The longest that one conversion may take: ceph-osd with debug information takes 30 s of CPU time. */
export const CONVERSION_MS = 420_000;
/**
 * Replaced tables are deleted after this. A server that has heard of the replacement at the last moment (RECORD_FRESH_MS)
 * may have a query that still reads the old one; both together take minutes.
 */
export const REPLACED_GRACE_MS = 6 * 3600_000;
/** Requests to the storage that one call of ours has under way. */
export const STORAGE_CONCURRENCY = 32;
