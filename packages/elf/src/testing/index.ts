export { buildProgram, GO_RELEASE, PROGRAMS, type Program } from './programs.ts';
export { elfImage, type ElfImageSection } from './elf-image.ts';
export { splitDebug, type SplitBinary } from './split-debug.ts';
