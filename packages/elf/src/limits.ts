/**
 * What is refused, so that a hostile file cannot make its reader allocate or loop without end. The largest
 * real values seen: 13 program headers, 60 sections, 20 kB of notes (libjvm, with its stapsdt probes).
 */
export const ELF_LIMITS = {
  /** 56 bytes each: 448 KiB of headers. */
  programHeaders: 8192,
  /** 64 bytes each: 8 MiB of headers. */
  sections: 131_072,
  /** Section name strings, read as one piece. */
  sectionNameTableBytes: 16 * 1024 * 1024,
  /** A longer section name is cut: only short ones mean anything here. */
  sectionNameBytes: 256,
  /** Read over all notes of one file; build ids come first. */
  noteBytes: 4 * 1024 * 1024,
  /** One section read at once (`ElfFile.bytes`); the symbol strings of a browser with full symbols are 300 MB. */
  sectionBytes: 1024 * 1024 * 1024,
  /** The result of `compactElf`, which is in memory; `CompactImage` has no limit of its own. */
  compactBytes: 512 * 1024 * 1024,
} as const;
