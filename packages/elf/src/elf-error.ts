/** The file is not an ELF file that this package reads, or it contradicts itself. */
export class ElfError extends Error {
  override readonly name = 'ElfError';
}
