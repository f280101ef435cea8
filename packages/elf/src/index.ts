export { bufferSource, type ByteSource } from './byte-source.ts';
export { compactElf, type CompactOptions } from './compact-elf.ts';
export * as elfConstants from './constants.ts';
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
export { ELF_LIMITS } from './limits.ts';
