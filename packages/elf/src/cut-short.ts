import type { ElfFile } from './elf-file.ts';
import { SHT_NOBITS } from './constants.ts';

/** Why the file is not whole, as a sentence; undefined: it is. Some of a file that was cut short can be read all the same. */
export function cutShort(elf: ElfFile): string | undefined {
  if (elf.sectionsProblem !== undefined) return `it is cut short or damaged: ${elf.sectionsProblem.message}`;
  const { size } = elf.source;
  const beyond = elf.sections.find(
    (section) => section.type !== SHT_NOBITS && section.offset + section.size > size,
  );
  if (beyond === undefined) return undefined;
  const end = beyond.offset + beyond.size;
  return `it is cut short: section ${beyond.name} ends at byte ${end}, the file at ${size}`;
}
