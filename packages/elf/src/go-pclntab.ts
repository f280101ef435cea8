import type { ElfFile } from './elf-file.ts';

/** Names under which Go's linker stores its function table as a section of its own. */
export const GO_PCLNTAB_SECTIONS: ReadonlySet<string> = new Set(['.gopclntab', '.data.rel.ro.gopclntab']);

export interface GoPclntab {
  /** ELF virtual address of the first byte. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

export function findGoPclntab(file: ElfFile): GoPclntab | undefined {
  const section = file.sections.find((one) => GO_PCLNTAB_SECTIONS.has(one.name));
  return section === undefined ? undefined : { address: section.address, bytes: file.bytes(section) };
}
