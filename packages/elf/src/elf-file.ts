/**
 * The parts of an ELF file that say where code lies and what the file is called.
 *
 * A sample is (file offset in a mapping); symbols speak of ELF virtual addresses; PT_LOAD headers link the two:
 *
 * ```
 *   file       0x1000      0x1a40                 0x5a40
 *   ───────────┬───────────┬──────────────────────┬──────
 *              │ page head │ p_offset … +p_filesz │ page tail
 *   address    0x401000    0x401a40 = p_vaddr     0x405a40
 * ```
 * mmap works in pages, so the mapping of this segment starts at file offset 0x1000, below p_offset.
 */
import type { ByteSource } from './byte-source.ts';
import { EM_AARCH64, PF_X, PT_LOAD, SHF_COMPRESSED, SHT_NOBITS } from './constants.ts';
import { ElfError } from './elf-error.ts';
import { goContentId } from './internal/go-build-id.ts';
import { readCopy } from './internal/fields.ts';
import { readFileHeader, readSections, readSegments } from './internal/headers.ts';
import { readIdentities } from './internal/notes.ts';
import { ELF_LIMITS } from './limits.ts';

/** A program header. Offsets and sizes are bytes of the file, addresses are ELF virtual addresses. */
export interface ElfSegment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entrySize: number;
}

export class ElfFile {
  readonly source: ByteSource;
  readonly machine: number;
  readonly type: number;
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
  /** Empty in files without section headers, and where the table is broken: see `sectionsProblem`. */
  readonly sections: readonly ElfSection[];
  /** Why sections could not be read, although the file says that it has some. */
  readonly sectionsProblem: ElfError | undefined;
  /** GNU build id, lower-case hex. */
  readonly buildId: string | undefined;
  /** Go's build id as written by its linker. */
  readonly goBuildId: string | undefined;
  /**
   * What the file is known by throughout the product, lower-case hex: the GNU build id; else the content part of
   * Go's build id; else the id that the agent stamped on the file when it cut it down.
   */
  readonly identity: string | undefined;
  readonly #loads: readonly ElfSegment[];
  readonly #pageBytes: number;

  /**
   * `relocatable`: also relocatable objects, which is what dwz makes of the debug information that files share.
   * @throws ElfError when the file is not 64-bit little-endian x86-64 or aarch64 ELF, or is broken.
   */
  static parse(source: ByteSource, options: { readonly relocatable?: boolean } = {}): ElfFile {
    return new ElfFile(source, options.relocatable ?? false);
  }

  private constructor(source: ByteSource, relocatable: boolean) {
    const header = readFileHeader(source, relocatable);
    this.source = source;
    this.machine = header.machine;
    this.type = header.type;
    this.entry = header.entry;
    this.segments = readSegments(source, header);
    let sections: ElfSection[] = [];
    let problem: ElfError | undefined;
    try {
      sections = readSections(source, header);
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      problem = error;
    }
    this.sections = sections;
    this.sectionsProblem = problem;
    const ids = readIdentities(source, this.segments, sections);
    this.buildId = ids.gnu;
    this.goBuildId = ids.go;
    this.identity = ids.gnu ?? goContentId(ids.go) ?? ids.stamped;
    // Code first: where page heads and tails overlap, samples come from code.
    this.#loads = this.segments
      .filter((segment) => segment.type === PT_LOAD && segment.fileSize > 0)
      .sort((a, b) => (b.flags & PF_X) - (a.flags & PF_X));
    // An aarch64 kernel may have pages of 4, 16 or 64 KiB.
    this.#pageBytes = header.machine === EM_AARCH64 ? 0x1_0000 : 0x1000;
  }

  /**
   * The ELF virtual address of a byte of the file as it is mapped by the loader; undefined where no PT_LOAD
   * covers it. Bytes that belong to a segment win over those that are only mapped along in its first or last page.
   */
  fileOffsetToAddress(offset: number): number | undefined {
    for (const load of this.#loads) {
      if (offset >= load.offset && offset < load.offset + load.fileSize)
        return offset - load.offset + load.address;
    }
    for (const load of this.#loads) {
      const head = load.offset - (load.offset % this.#pageBytes);
      const end = load.offset + load.fileSize;
      const tail = Math.ceil(end / this.#pageBytes) * this.#pageBytes;
      const address = offset - load.offset + load.address;
      if (offset >= head && offset < tail && address >= 0) return address;
    }
    return undefined;
  }

  /** The file offset of an ELF virtual address that has bytes in the file. */
  addressToFileOffset(address: number): number | undefined {
    for (const load of this.#loads) {
      if (address >= load.address && address < load.address + load.fileSize) {
        return address - load.address + load.offset;
      }
    }
    return undefined;
  }

  section(name: string): ElfSection | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /**
   * The contents of a section, copied. `limit` bounds what is read.
   * @throws ElfError when it has none in this file, is compressed, too large, or outside the file.
   */
  bytes(section: ElfSection, limit: number = ELF_LIMITS.sectionBytes): Uint8Array {
    const name = `section ${section.name || '(without name)'}`;
    if (section.type === SHT_NOBITS) throw new ElfError(`${name} has no contents in this file`);
    if ((section.flags & SHF_COMPRESSED) !== 0) throw new ElfError(`${name} is compressed (SHF_COMPRESSED)`);
    if (section.size > limit)
      throw new ElfError(`${name} has ${section.size} bytes: at most ${limit} are read`);
    return readCopy(this.source, section.offset, section.size, name);
  }
}
