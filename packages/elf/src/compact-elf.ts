/**
 * Cuts a binary down to what names its functions: this is what an agent uploads, typically 2 to 15 % of the file.
 *
 * ```
 * ELF header | program headers | kept sections … | section names | section headers
 * ```
 * Program headers stay as they are, so that file offsets of the original can still be mapped to addresses; only
 * PT_NOTE is pointed at the notes' new place. Section headers keep their numbers (symbols refer to them); sections
 * that are not kept become NOBITS: a size and an address without contents. So does `objcopy --only-keep-debug`,
 * and readelf, nm and gdb read the result.
 */
import type { ByteSource } from './byte-source.ts';
import {
  ELF_HEADER_BYTES,
  PROGRAM_HEADER_BYTES,
  PT_NOTE,
  SECTION_HEADER_BYTES,
  SHN_LORESERVE,
  SHN_XINDEX,
  SHT_DYNSYM,
  SHT_NOBITS,
  SHT_NOTE,
  SHT_PROGBITS,
  SHT_NULL,
  SHT_RELA,
  SHT_STRTAB,
  SHT_SYMTAB,
  SHT_SYMTAB_SHNDX,
  SHF_ALLOC,
} from './constants.ts';
import { ElfError } from './elf-error.ts';
import { ElfFile, type ElfSection } from './elf-file.ts';
import { findGoPclntab, GO_PCLNTAB_SECTIONS } from './go-pclntab.ts';
import { alignUp, readCopy, readExactly, setU64, viewOf } from './internal/fields.ts';
import { STAMP_OWNER, STAMP_TYPE } from './internal/notes.ts';
import { ELF_LIMITS } from './limits.ts';

export interface CompactOptions {
  /** Result larger than this: ElfError. Default: ELF_LIMITS.compactBytes. */
  readonly maxBytes?: number;
  /**
   * Lower-case hex of 4 to 64 bytes, put into a note when the file carries no id of its own; `ElfFile.identity` of
   * the result is then this.
   */
  readonly identity?: string;
}

/** Alignment, the stamp, the copy of Go's table. */
const SLACK_BYTES = 64 * 1024;

interface Piece {
  name: string;
  type: number;
  flags: number;
  address: number;
  size: number;
  link: number;
  info: number;
  entrySize: number;
  /** Contents, or undefined for NOBITS. */
  readonly contents: (() => Uint8Array) | undefined;
  offset: number;
}

/** @throws ElfError when the file is not ELF as read here, is broken, or its symbols exceed the limit. */
export function compactElf(source: ByteSource, options: CompactOptions = {}): Uint8Array {
  const file = ElfFile.parse(source);
  // What is cut out cannot be more than the whole, unless headers claim the same bytes again and again.
  const most = source.size + SLACK_BYTES + file.sections.length * SECTION_HEADER_BYTES;
  const maxBytes = Math.min(options.maxBytes ?? ELF_LIMITS.compactBytes, most);
  const pieces = piecesOf(file);
  if (pieces.length === 0) pieces.push(nullPiece());
  addPclntab(file, pieces);
  addOrphanNotes(file, pieces);
  if (file.identity === undefined && options.identity !== undefined) {
    pieces.push(notePiece('.note.fleetflame', stamp(options.identity)));
  }
  const names = nameTable(pieces);
  return write(file, pieces, names, maxBytes);
}

const SYMBOL_TYPES: ReadonlySet<number> = new Set([SHT_SYMTAB, SHT_DYNSYM, SHT_SYMTAB_SHNDX]);

function isKept(section: ElfSection): boolean {
  return (
    SYMBOL_TYPES.has(section.type) ||
    // Ids are in notes that are loaded; the others (annobin's) may be megabytes.
    (section.type === SHT_NOTE && (section.flags & SHF_ALLOC) !== 0) ||
    // Relocations of the PLT say which stub calls what.
    (section.type === SHT_RELA && section.name === '.rela.plt')
  );
}

function piecesOf(file: ElfFile): Piece[] {
  const strings = new Set(file.sections.filter((one) => SYMBOL_TYPES.has(one.type)).map((one) => one.link));
  return file.sections.map((section, index) => {
    const wanted = isKept(section) || (section.type === SHT_STRTAB && strings.has(index));
    const kept = wanted && section.type !== SHT_NOBITS;
    return {
      ...section,
      type: kept || section.type === SHT_NULL ? section.type : SHT_NOBITS,
      contents: kept
        ? () => readExactly(file.source, section.offset, section.size, `section ${section.name}`)
        : undefined,
      offset: 0,
    };
  });
}

function nullPiece(): Piece {
  return { ...EMPTY, name: '', type: SHT_NULL };
}

const EMPTY = {
  flags: 0,
  address: 0,
  size: 0,
  link: 0,
  info: 0,
  entrySize: 0,
  contents: undefined,
  offset: 0,
};

function notePiece(name: string, contents: Uint8Array): Piece {
  return { ...EMPTY, name, type: SHT_NOTE, size: contents.length, contents: () => contents };
}

/**
 * Position-independent Go programs have the table inside .data.rel.ro; files without section headers have it
 * somewhere. It becomes a section of its own, relocated.
 */
function addPclntab(file: ElfFile, pieces: Piece[]): void {
  const table = findGoPclntab(file);
  if (table === undefined) return;
  const piece: Piece = {
    ...EMPTY,
    name: '.gopclntab',
    type: SHT_PROGBITS,
    flags: SHF_ALLOC,
    address: table.address,
    size: table.bytes.length,
    contents: () => table.bytes,
  };
  const own = pieces.findIndex((one) => GO_PCLNTAB_SECTIONS.has(one.name));
  if (own < 0) pieces.push(piece);
  else pieces[own] = { ...piece, name: pieces[own]?.name ?? piece.name };
}

/** Notes that only program headers know of: files without section headers. */
function addOrphanNotes(file: ElfFile, pieces: Piece[]): void {
  const known = new Set(file.sections.filter((one) => one.type === SHT_NOTE).map((one) => one.offset));
  for (const segment of file.segments) {
    if (segment.type !== PT_NOTE || known.has(segment.offset)) continue;
    if (segment.fileSize > ELF_LIMITS.noteBytes || segment.offset + segment.fileSize > file.source.size)
      continue;
    known.add(segment.offset);
    pieces.push({
      ...notePiece('.note', readCopy(file.source, segment.offset, segment.fileSize, 'notes')),
      address: segment.address,
      flags: SHF_ALLOC,
    });
  }
}

function stamp(identity: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2}){4,64}$/.test(identity)) {
    throw new ElfError(`identity "${identity}" is not 8 to 128 lower-case hex digits`);
  }
  const ownerBytes = STAMP_OWNER.length + 1;
  const bytes = new Uint8Array(12 + alignUp(ownerBytes, 4) + alignUp(identity.length / 2, 4));
  const view = viewOf(bytes);
  view.setUint32(0, ownerBytes, true);
  view.setUint32(4, identity.length / 2, true);
  view.setUint32(8, STAMP_TYPE, true);
  new TextEncoder().encodeInto(STAMP_OWNER, bytes.subarray(12));
  for (let index = 0; index < identity.length; index += 2) {
    bytes[12 + alignUp(ownerBytes, 4) + index / 2] = Number.parseInt(identity.slice(index, index + 2), 16);
  }
  return bytes;
}

interface NameTable {
  readonly bytes: Uint8Array;
  readonly offsets: readonly number[];
}

const NAMES = '.shstrtab';

/** The names of the sections, written anew: sections may have been added. */
function nameTable(pieces: Piece[]): NameTable {
  if (!pieces.some((piece) => piece.name === NAMES)) pieces.push({ ...EMPTY, name: NAMES, type: SHT_STRTAB });
  const offsets: number[] = [];
  const seen = new Map<string, number>();
  const chunks: Uint8Array[] = [new Uint8Array(1)];
  let length = 1;
  const encoder = new TextEncoder();
  for (const piece of pieces) {
    let offset = piece.name === '' ? 0 : seen.get(piece.name);
    if (offset === undefined) {
      const encoded = encoder.encode(`${piece.name}\0`);
      offset = length;
      seen.set(piece.name, offset);
      chunks.push(encoded);
      length += encoded.length;
    }
    offsets.push(offset);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { bytes, offsets };
}

const CONTENT_ALIGNMENT = 16;

function write(file: ElfFile, pieces: Piece[], names: NameTable, maxBytes: number): Uint8Array {
  const namesIndex = pieces.findLastIndex((piece) => piece.name === NAMES);
  pieces[namesIndex] = {
    ...EMPTY,
    name: NAMES,
    type: SHT_STRTAB,
    size: names.bytes.length,
    contents: () => names.bytes,
  };
  let end = ELF_HEADER_BYTES + file.segments.length * PROGRAM_HEADER_BYTES;
  for (const piece of pieces) {
    piece.offset = piece.type === SHT_NULL ? 0 : alignUp(end, CONTENT_ALIGNMENT);
    if (piece.contents !== undefined) end = piece.offset + piece.size;
    // Checked at each step: many headers may claim the same large contents.
    if (end > maxBytes)
      throw new ElfError(`symbols of more than ${maxBytes} bytes: this binary is not uploaded`);
  }
  const headersAt = alignUp(end, 8);
  const total = headersAt + pieces.length * SECTION_HEADER_BYTES;
  if (total > maxBytes)
    throw new ElfError(`symbols of ${total} bytes: more than ${maxBytes} are not uploaded`);
  const out = new Uint8Array(total);
  for (const piece of pieces) {
    if (piece.contents !== undefined) out.set(piece.contents(), piece.offset);
  }
  writeProgramHeaders(file, pieces, out);
  writeSectionHeaders(pieces, names, viewOf(out), headersAt);
  writeHeader(file, out, headersAt, { count: pieces.length, names: namesIndex });
  return out;
}

function writeHeader(
  file: ElfFile,
  out: Uint8Array,
  headersAt: number,
  sections: { readonly count: number; readonly names: number },
): void {
  out.set(readExactly(file.source, 0, ELF_HEADER_BYTES, 'the ELF header'), 0);
  const view = viewOf(out);
  setU64(view, 32, file.segments.length === 0 ? 0 : ELF_HEADER_BYTES);
  setU64(view, 40, headersAt);
  view.setUint16(58, SECTION_HEADER_BYTES, true);
  // Too many to say in 16 bits: header 0 says it.
  const extended = sections.count >= SHN_LORESERVE;
  view.setUint16(60, extended ? 0 : sections.count, true);
  view.setUint16(62, extended ? SHN_XINDEX : sections.names, true);
  setU64(view, headersAt + 32, extended ? sections.count : 0);
  view.setUint32(headersAt + 40, extended ? sections.names : 0, true);
}

function writeProgramHeaders(file: ElfFile, pieces: readonly Piece[], out: Uint8Array): void {
  if (file.segments.length === 0) return;
  const header = viewOf(readCopy(file.source, 32, 8, 'e_phoff'));
  const offset = header.getUint32(0, true) + header.getUint32(4, true) * 0x1_0000_0000;
  const size = file.segments.length * PROGRAM_HEADER_BYTES;
  out.set(readExactly(file.source, offset, size, 'the program header table'), ELF_HEADER_BYTES);
  const view = viewOf(out);
  file.segments.forEach((segment, index) => {
    if (segment.type !== PT_NOTE) return;
    const notes = pieces.find(
      (piece) =>
        piece.type === SHT_NOTE &&
        piece.contents !== undefined &&
        piece.address === segment.address &&
        (piece.flags & SHF_ALLOC) !== 0,
    );
    const at = ELF_HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
    // One segment may span several notes; the others are found by their section headers.
    setU64(view, at + 8, notes?.offset ?? 0);
    setU64(view, at + 32, notes?.size ?? 0);
  });
}

function writeSectionHeaders(
  pieces: readonly Piece[],
  names: NameTable,
  view: DataView,
  headersAt: number,
): void {
  pieces.forEach((piece, index) => {
    const at = headersAt + index * SECTION_HEADER_BYTES;
    view.setUint32(at, names.offsets[index] ?? 0, true);
    view.setUint32(at + 4, piece.type, true);
    setU64(view, at + 8, piece.flags);
    setU64(view, at + 16, piece.address);
    setU64(view, at + 24, piece.offset);
    setU64(view, at + 32, piece.size);
    view.setUint32(at + 40, piece.link, true);
    view.setUint32(at + 44, piece.info, true);
    setU64(view, at + 48, 1);
    setU64(view, at + 56, piece.entrySize);
  });
}
