/** Which sections of a binary, and of its debug file, go into a CompactImage. */
import {
  PT_NOTE,
  SHF_ALLOC,
  SHT_DYNSYM,
  SHT_NOBITS,
  SHT_NOTE,
  SHT_NULL,
  SHT_PROGBITS,
  SHT_RELA,
  SHT_STRTAB,
  SHT_SYMTAB,
  SHT_SYMTAB_SHNDX,
  SYMBOL_BYTES,
} from '../constants.ts';
import { ElfError } from '../elf-error.ts';
import type { ElfFile, ElfSection } from '../elf-file.ts';
import { GO_PCLNTAB_SECTIONS, locateGoPclntab, relocateGoPclntab } from '../go-pclntab.ts';
import { ELF_LIMITS } from '../limits.ts';
import { alignUp, readCopy, readExactly, viewOf } from './fields.ts';
import { STAMP_OWNER, STAMP_TYPE } from './notes.ts';

/** What names the functions: debug information, all symbols (or Go's table), exported symbols. */
export type NameQuality = 'dwarf' | 'symtab' | 'dynsym' | 'none';

/** A section of the result. */
export interface Piece {
  name: string;
  type: number;
  flags: number;
  address: number;
  size: number;
  link: number;
  info: number;
  entrySize: number;
  /** Contents, or undefined for NOBITS. */
  readonly read: ((offset: number, length: number) => Uint8Array) | undefined;
  offset: number;
}

export function emptyPiece(): Piece {
  return {
    name: '',
    type: SHT_NULL,
    flags: 0,
    address: 0,
    size: 0,
    link: 0,
    info: 0,
    entrySize: 0,
    read: undefined,
    offset: 0,
  };
}

const SYMBOL_TYPES: ReadonlySet<number> = new Set([SHT_SYMTAB, SHT_DYNSYM, SHT_SYMTAB_SHNDX]);
const LINKS: ReadonlySet<string> = new Set(['.gnu_debuglink', '.gnu_debugaltlink']);
/**
 * Debug sections that say nothing of functions, lines and inlined calls: where variables are, macros, frames, and
 * indices of names. A quarter of the whole, as a rule.
 */
const NOT_NEEDED =
  /^\.z?debug_(?:loc|loclists|macro|macinfo|frame|pubnames|pubtypes|gnu_pubnames|gnu_pubtypes|names|gdb_scripts)$/;

export function isDebugSection(name: string): boolean {
  return /^\.z?debug_/.test(name) && !NOT_NEEDED.test(name);
}

function isKept(section: ElfSection, debugSections: boolean): boolean {
  return (
    SYMBOL_TYPES.has(section.type) ||
    // Ids are in notes that are loaded; the others (annobin's) may be megabytes.
    (section.type === SHT_NOTE && (section.flags & SHF_ALLOC) !== 0) ||
    // Relocations of the PLT say which stub calls what.
    (section.type === SHT_RELA && section.name === '.rela.plt') ||
    (debugSections && (isDebugSection(section.name) || LINKS.has(section.name)))
  );
}

export interface CompactPieces {
  readonly pieces: Piece[];
  readonly quality: NameQuality;
  readonly debugBytes: number;
}

/**
 * @param code the binary itself
 * @param layout whose section headers count: the binary, or its debug file, which has those of the binary as NOBITS
 */
export function compactPieces(
  code: ElfFile,
  layout: ElfFile,
  options: { readonly identity?: string; readonly debugSections?: boolean },
): CompactPieces {
  const debugSections = options.debugSections ?? false;
  const keptOfLayout = keptIndices(layout, debugSections);
  const keptOfCode = layout === code ? keptOfLayout : keptIndices(code, false);
  const pieces = layout.sections.map((section, index): Piece => {
    if (keptOfLayout.has(index)) return keptPiece(layout, section);
    const own = code.sections[index];
    if (layout !== code && own !== undefined && keptOfCode.has(index) && isSameSection(own, section)) {
      return keptPiece(code, own);
    }
    return {
      ...section,
      type: section.type === SHT_NULL ? SHT_NULL : SHT_NOBITS,
      read: undefined,
      offset: 0,
    };
  });
  if (pieces.length === 0) pieces.push(emptyPiece());
  addPclntab(code, pieces);
  addOrphanNotes(code, pieces);
  if (code.identity === undefined && options.identity !== undefined) {
    pieces.push(notePiece('.note.fleetflame', stamp(options.identity)));
  }
  const debug = pieces.filter((piece) => piece.read !== undefined && isDebugSection(piece.name));
  return {
    pieces,
    quality: qualityOf(pieces, debug),
    debugBytes: debug.reduce((sum, piece) => sum + piece.size, 0),
  };
}

function keptIndices(file: ElfFile, debugSections: boolean): ReadonlySet<number> {
  const kept = new Set<number>();
  const strings = new Set<number>();
  for (const section of file.sections) if (SYMBOL_TYPES.has(section.type)) strings.add(section.link);
  file.sections.forEach((section, index) => {
    if (section.type === SHT_NOBITS || section.type === SHT_NULL) return;
    if (isKept(section, debugSections) || (section.type === SHT_STRTAB && strings.has(index)))
      kept.add(index);
  });
  return kept;
}

/** Numbers and addresses are those of the binary; else symbols would refer to other sections. */
function isSameSection(one: ElfSection, other: ElfSection): boolean {
  return one.name === other.name && one.address === other.address && one.size === other.size;
}

function keptPiece(file: ElfFile, section: ElfSection): Piece {
  return {
    ...section,
    read: (offset, length) =>
      readExactly(file.source, section.offset + offset, length, `section ${section.name}`),
    offset: 0,
  };
}

function qualityOf(pieces: readonly Piece[], debug: readonly Piece[]): NameQuality {
  const has = (test: (piece: Piece) => boolean): boolean =>
    pieces.some((piece) => piece.read !== undefined && test(piece));
  if (debug.some((piece) => /^\.z?debug_info$/.test(piece.name) && piece.size > 0)) return 'dwarf';
  // The first symbol of a table is empty.
  const symbols = (type: number): boolean => has((piece) => piece.type === type && piece.size > SYMBOL_BYTES);
  if (symbols(SHT_SYMTAB) || has((piece) => GO_PCLNTAB_SECTIONS.has(piece.name))) return 'symtab';
  return symbols(SHT_DYNSYM) ? 'dynsym' : 'none';
}

function notePiece(name: string, contents: Uint8Array): Piece {
  return {
    ...emptyPiece(),
    name,
    type: SHT_NOTE,
    size: contents.length,
    read: (offset, length) => contents.subarray(offset, offset + length),
  };
}

/**
 * Position-independent Go programs have the table inside .data.rel.ro; files without section headers have it
 * somewhere. It becomes a section of its own, relocated.
 */
function addPclntab(code: ElfFile, pieces: Piece[]): void {
  const table = locateGoPclntab(code);
  if (table === undefined) return;
  const own = pieces.findIndex((one) => GO_PCLNTAB_SECTIONS.has(one.name));
  const piece: Piece = {
    ...emptyPiece(),
    name: pieces[own]?.name ?? '.gopclntab',
    type: SHT_PROGBITS,
    flags: SHF_ALLOC,
    address: table.address,
    size: table.size,
    read: (offset, length) => {
      const bytes = readCopy(code.source, table.offset + offset, length, "Go's function table");
      relocateGoPclntab(bytes, offset, table.relocations);
      return bytes;
    },
  };
  if (own < 0) pieces.push(piece);
  else pieces[own] = piece;
}

/** Notes that only program headers know of: files without section headers. */
function addOrphanNotes(code: ElfFile, pieces: Piece[]): void {
  const known = new Set(code.sections.filter((one) => one.type === SHT_NOTE).map((one) => one.offset));
  for (const segment of code.segments) {
    if (segment.type !== PT_NOTE || known.has(segment.offset)) continue;
    if (segment.fileSize > ELF_LIMITS.noteBytes || segment.offset + segment.fileSize > code.source.size)
      continue;
    known.add(segment.offset);
    pieces.push({
      ...notePiece('.note', readCopy(code.source, segment.offset, segment.fileSize, 'notes')),
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
