export { bufferSource, type ByteSource } from './byte-source.ts';
export { compactElf } from './compact-elf.ts';
export { CompactImage, type CompactOptions } from './compact-image.ts';
export * as elfConstants from './constants.ts';
export { cutShort } from './cut-short.ts';
export { readDebugAltLink, readDebugLink, type DebugAltLink, type DebugLink } from './debug-links.ts';
export { ElfError } from './elf-error.ts';
export { ElfFile, type ElfSection, type ElfSegment } from './elf-file.ts';
export { findGoPclntab, type GoPclntab } from './go-pclntab.ts';
export {
  FUNC_LAYOUT,
  funcBase,
  parsePclntabHeader,
  type PclntabHeader,
  type PclntabVersion,
} from './go-pclntab-header.ts';
export type { NameQuality } from './internal/compact-pieces.ts';
export { ELF_LIMITS } from './limits.ts';
