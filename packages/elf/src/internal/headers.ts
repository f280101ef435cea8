import type { ByteSource } from '../byte-source.ts';
import {
  ELF_HEADER_BYTES,
  EM_AARCH64,
  EM_X86_64,
  ET_DYN,
  ET_EXEC,
  ET_REL,
  PN_XNUM,
  PROGRAM_HEADER_BYTES,
  SECTION_HEADER_BYTES,
  SHN_XINDEX,
  SHT_NOBITS,
} from '../constants.ts';
import { ElfError } from '../elf-error.ts';
import { ELF_LIMITS } from '../limits.ts';
import type { ElfSection, ElfSegment } from '../elf-file.ts';
import { readCopy, readExactly, stringAt, u64, u64Exact, viewOf } from './fields.ts';

export interface FileHeader {
  readonly type: number;
  readonly machine: number;
  readonly entry: number;
  readonly programHeaders: { readonly offset: number; readonly count: number };
  readonly sectionHeaders: { readonly offset: number; readonly count: number; readonly names: number };
}

const TYPE_NAMES: Readonly<Record<number, string>> = { 0: 'none', 1: 'relocatable object', 4: 'core dump' };
const MACHINE_NAMES: Readonly<Record<number, string>> = {
  3: 'x86',
  8: 'MIPS',
  20: 'PowerPC',
  21: '64-bit PowerPC',
  22: 's390x',
  40: '32-bit Arm',
  243: 'RISC-V',
  247: 'BPF',
  258: 'LoongArch',
};

/**
 * The file header, with extended numbering resolved: counts that do not fit their 16 bits are in section
 * header 0 (sh_size: sections, sh_info: program headers, sh_link: the section of names).
 */
export function readFileHeader(source: ByteSource, relocatable = false): FileHeader {
  if (source.size < ELF_HEADER_BYTES) {
    throw new ElfError(`not an ELF file: ${source.size} bytes, an ELF header has ${ELF_HEADER_BYTES}`);
  }
  const view = viewOf(readCopy(source, 0, ELF_HEADER_BYTES, 'the ELF header'));
  checkIdentity(view);
  const type = view.getUint16(16, true);
  const machine = view.getUint16(18, true);
  if (type !== ET_EXEC && type !== ET_DYN && !(relocatable && type === ET_REL)) {
    throw new ElfError(
      `ELF type ${type} (${TYPE_NAMES[type] ?? 'unknown'}): only programs and shared libraries are read`,
    );
  }
  if (machine !== EM_X86_64 && machine !== EM_AARCH64) {
    throw new ElfError(
      `ELF machine ${machine} (${MACHINE_NAMES[machine] ?? 'unknown'}): only x86-64 and aarch64 are read`,
    );
  }
  const programOffset = u64Exact(view, 32, 'e_phoff');
  const sectionOffset = u64(view, 40);
  let programCount = view.getUint16(56, true);
  let sectionCount = view.getUint16(60, true);
  let names = view.getUint16(62, true);
  const extended =
    programCount === PN_XNUM || names === SHN_XINDEX || (sectionCount === 0 && sectionOffset !== 0);
  if (extended) {
    const first = sectionZero(source, sectionOffset);
    if (programCount === PN_XNUM) {
      if (first === undefined)
        throw new ElfError('e_phnum is 0xffff, but there is no section header 0 to hold the number');
      programCount = first.getUint32(44, true);
    }
    if (sectionCount === 0 && first !== undefined) sectionCount = u64(first, 32);
    if (names === SHN_XINDEX && first !== undefined) names = first.getUint32(40, true);
  }
  if (programCount > 0 && view.getUint16(54, true) !== PROGRAM_HEADER_BYTES) {
    throw new ElfError(
      `program headers of ${view.getUint16(54, true)} bytes: 64-bit ELF has ${PROGRAM_HEADER_BYTES}`,
    );
  }
  if (programCount > ELF_LIMITS.programHeaders) {
    throw new ElfError(`${programCount} program headers: at most ${ELF_LIMITS.programHeaders} are read`);
  }
  return {
    type,
    machine,
    entry: u64Exact(view, 24, 'e_entry'),
    programHeaders: { offset: programOffset, count: programCount },
    sectionHeaders: { offset: sectionOffset, count: sectionOffset === 0 ? 0 : sectionCount, names },
  };
}

function checkIdentity(view: DataView): void {
  if (view.getUint32(0, false) !== 0x7f45_4c46)
    throw new ElfError('not an ELF file: it does not begin with 7f "ELF"');
  if (view.getUint8(4) !== 2) throw new ElfError(`ELF class ${view.getUint8(4)}: only 64-bit files are read`);
  if (view.getUint8(5) !== 1)
    throw new ElfError(`ELF data encoding ${view.getUint8(5)}: only little-endian files are read`);
  if (view.getUint8(6) !== 1) throw new ElfError(`ELF version ${view.getUint8(6)}: only version 1 exists`);
}

function sectionZero(source: ByteSource, offset: number): DataView | undefined {
  if (offset === 0 || Number.isNaN(offset) || offset > source.size - SECTION_HEADER_BYTES) return undefined;
  return viewOf(readCopy(source, offset, SECTION_HEADER_BYTES, 'section header 0'));
}

export function readSegments(source: ByteSource, header: FileHeader): ElfSegment[] {
  const { offset, count } = header.programHeaders;
  if (count === 0) return [];
  const view = viewOf(readExactly(source, offset, count * PROGRAM_HEADER_BYTES, 'the program header table'));
  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * PROGRAM_HEADER_BYTES;
    const name = `program header ${index}`;
    const segment: ElfSegment = {
      type: view.getUint32(at, true),
      flags: view.getUint32(at + 4, true),
      offset: u64Exact(view, at + 8, `${name}: p_offset`),
      address: u64Exact(view, at + 16, `${name}: p_vaddr`),
      fileSize: u64Exact(view, at + 32, `${name}: p_filesz`),
      memorySize: u64Exact(view, at + 40, `${name}: p_memsz`),
    };
    if (
      !Number.isSafeInteger(segment.offset + segment.fileSize) ||
      !Number.isSafeInteger(segment.address + segment.memorySize)
    ) {
      throw new ElfError(`${name} ends beyond 2^53`);
    }
    segments.push(segment);
  }
  return segments;
}

/** Throws when the section header table cannot be trusted; the caller decides whether it can do without. */
export function readSections(source: ByteSource, header: FileHeader): ElfSection[] {
  const { offset, count, names } = header.sectionHeaders;
  if (count === 0) return [];
  if (Number.isNaN(offset) || Number.isNaN(count))
    throw new ElfError('the section header table lies beyond 2^53');
  if (count > ELF_LIMITS.sections)
    throw new ElfError(`${count} sections: at most ${ELF_LIMITS.sections} are read`);
  const entrySize = viewOf(readExactly(source, 0, ELF_HEADER_BYTES, 'the ELF header')).getUint16(58, true);
  if (entrySize !== SECTION_HEADER_BYTES) {
    throw new ElfError(`section headers of ${entrySize} bytes: 64-bit ELF has ${SECTION_HEADER_BYTES}`);
  }
  const table = readCopy(source, offset, count * SECTION_HEADER_BYTES, 'the section header table');
  const view = viewOf(table);
  const nameTable = readNameTable(source, view, count, names);
  const sections: ElfSection[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * SECTION_HEADER_BYTES;
    sections.push({
      name: stringAt(nameTable, view.getUint32(at, true), ELF_LIMITS.sectionNameBytes) ?? '',
      type: view.getUint32(at + 4, true),
      flags: flagsAt(view, at + 8),
      address: u64Exact(view, at + 16, `section ${index}: sh_addr`),
      offset: u64Exact(view, at + 24, `section ${index}: sh_offset`),
      size: u64Exact(view, at + 32, `section ${index}: sh_size`),
      link: view.getUint32(at + 40, true),
      info: view.getUint32(at + 44, true),
      entrySize: u64Exact(view, at + 56, `section ${index}: sh_entsize`),
    });
  }
  return sections;
}

/** Flags above 2^32 (none is defined for us) are dropped. */
function flagsAt(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

function readNameTable(source: ByteSource, view: DataView, count: number, index: number): Uint8Array {
  if (index === 0) return new Uint8Array(0);
  if (index >= count) throw new ElfError(`section names are said to be in section ${index} of ${count}`);
  const at = index * SECTION_HEADER_BYTES;
  if (view.getUint32(at + 4, true) === SHT_NOBITS)
    throw new ElfError('the section of section names has no contents');
  const size = u64Exact(view, at + 32, 'the size of the section names');
  if (size > ELF_LIMITS.sectionNameTableBytes) {
    throw new ElfError(
      `${size} bytes of section names: at most ${ELF_LIMITS.sectionNameTableBytes} are read`,
    );
  }
  return readCopy(
    source,
    u64Exact(view, at + 24, 'the offset of the section names'),
    size,
    'the section names',
  );
}
