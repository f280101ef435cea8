/**
 * A binary cut down to what names its code: this is what is uploaded. Without debug sections that is typically 2 to
 * 15 % of the file.
 *
 * ```
 * ELF header | program headers | kept sections … | section names | section headers
 * ```
 * Program headers stay as they are, so that file offsets of the original can still be mapped to addresses; only
 * PT_NOTE is pointed at the notes' new place. Section headers keep their numbers (symbols refer to them); sections
 * that are not kept become NOBITS: a size and an address without contents. So does `objcopy --only-keep-debug`,
 * and readelf, nm and gdb read the result.
 *
 * The result is never in memory as a whole: it is a ByteSource whose reads are made of reads of the original, so
 * that gigabytes of debug sections can be sent in parts, from any offset.
 */
import type { ByteSource } from './byte-source.ts';
import {
  ELF_HEADER_BYTES,
  PROGRAM_HEADER_BYTES,
  PT_NOTE,
  SECTION_HEADER_BYTES,
  SHF_ALLOC,
  SHN_LORESERVE,
  SHN_XINDEX,
  SHT_NOTE,
  SHT_NULL,
  SHT_STRTAB,
} from './constants.ts';
import { ElfError } from './elf-error.ts';
import { ElfFile } from './elf-file.ts';
import { compactPieces, emptyPiece, type NameQuality, type Piece } from './internal/compact-pieces.ts';
import { alignUp, readCopy, readExactly, setU64, viewOf } from './internal/fields.ts';

export interface CompactOptions {
  /**
   * Lower-case hex of 4 to 64 bytes, put into a note when the file carries no id of its own; `ElfFile.identity` of
   * the result is then this.
   */
  readonly identity?: string;
  /** Keep debug sections too: lines and inlined calls. Default: functions only. */
  readonly debugSections?: boolean;
  /**
   * The binary's separate debug file (`objcopy --only-keep-debug`): the result has its symbols and debug sections,
   * and from the binary what debug files lack. The caller has compared the build ids.
   */
  readonly debugFile?: ByteSource;
}

const NAMES = '.shstrtab';
const CONTENT_ALIGNMENT = 16;
/** Read at once from the original. */
const CHUNK_BYTES = 64 * 1024;
/** Alignment, the stamp, the copy of Go's table. */
const SLACK_BYTES = 64 * 1024;

export class CompactImage implements ByteSource {
  readonly size: number;
  /** The best source of names that was kept. */
  readonly quality: NameQuality;
  /** Bytes of kept debug sections. */
  readonly debugBytes: number;
  /** In order of offset; what lies between them is zero. */
  readonly #extents: readonly Extent[];

  /** @throws ElfError when a file is not ELF as read here, or is broken. */
  constructor(source: ByteSource, options: CompactOptions = {}) {
    const code = ElfFile.parse(source);
    const layout = options.debugFile === undefined ? code : ElfFile.parse(options.debugFile);
    const { pieces, quality, debugBytes } = compactPieces(code, layout, options);
    this.quality = quality;
    this.debugBytes = debugBytes;
    const names = nameTable(pieces);
    // What is cut out cannot be more than the whole, unless headers claim the same bytes again and again.
    const most =
      source.size + (options.debugFile?.size ?? 0) + SLACK_BYTES + pieces.length * SECTION_HEADER_BYTES;
    const { extents, size } = lay(code, pieces, names, most);
    this.#extents = extents;
    this.size = size;
  }

  /** @throws ElfError when the original file is shorter by now */
  read(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    this.readInto(out, offset);
    return out;
  }

  /**
   * As `read`, into bytes that there are: with a source that reuses its buffer, reading all of it allocates nothing.
   * `offset` and the length of `out` lie within `size`.
   */
  readInto(out: Uint8Array, offset: number): void {
    out.fill(0);
    for (let index = firstAfter(this.#extents, offset); index < this.#extents.length; index++) {
      const extent = this.#extents[index]!;
      if (extent.offset >= offset + out.length) break;
      const to = Math.min(offset + out.length, extent.offset + extent.size);
      for (let from = Math.max(offset, extent.offset); from < to; from += CHUNK_BYTES) {
        out.set(extent.read(from - extent.offset, Math.min(CHUNK_BYTES, to - from)), from - offset);
      }
    }
  }

  /**
   * What was made anew: headers and names. Two binaries with the same build id and the same layout have the same
   * contents; to compare them needs no reading of the rest.
   */
  layout(): Uint8Array {
    const made = this.#extents.filter((extent) => extent.made);
    const out = new Uint8Array(made.reduce((sum, extent) => sum + extent.size, 0));
    let at = 0;
    for (const extent of made) {
      out.set(extent.read(0, extent.size), at);
      at += extent.size;
    }
    return out;
  }
}

interface Extent {
  readonly offset: number;
  readonly size: number;
  /** A header, made here. */
  readonly made: boolean;
  readonly read: (offset: number, length: number) => Uint8Array;
}

function bytesExtent(offset: number, bytes: Uint8Array): Extent {
  return {
    offset,
    size: bytes.length,
    made: true,
    read: (start, length) => bytes.subarray(start, start + length),
  };
}

/** Index of the first extent that ends behind `offset`. */
function firstAfter(extents: readonly Extent[], offset: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const extent = extents[middle]!;
    if (extent.offset + extent.size <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface NameTable {
  readonly bytes: Uint8Array;
  readonly offsets: readonly number[];
}

/** The names of the sections, written anew: sections may have been added. */
function nameTable(pieces: Piece[]): NameTable {
  if (!pieces.some((piece) => piece.name === NAMES)) {
    pieces.push({ ...emptyPiece(), name: NAMES, type: SHT_STRTAB });
  }
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

function lay(
  code: ElfFile,
  pieces: Piece[],
  names: NameTable,
  most: number,
): { readonly extents: readonly Extent[]; readonly size: number } {
  const namesIndex = pieces.findLastIndex((piece) => piece.name === NAMES);
  pieces[namesIndex] = { ...emptyPiece(), name: NAMES, type: SHT_STRTAB, size: names.bytes.length };
  const extents: Extent[] = [];
  let end = ELF_HEADER_BYTES + code.segments.length * PROGRAM_HEADER_BYTES;
  pieces.forEach((piece, index) => {
    piece.offset = piece.type === SHT_NULL ? 0 : alignUp(end, CONTENT_ALIGNMENT);
    if (index === namesIndex) extents.push(bytesExtent(piece.offset, names.bytes));
    else if (piece.read === undefined) return;
    else extents.push({ offset: piece.offset, size: piece.size, made: false, read: piece.read });
    end = piece.offset + piece.size;
    // Checked at each step: many headers may claim the same large contents.
    if (end > most) {
      throw new ElfError(
        `its sections claim more than the ${most} bytes that it has: this binary is not uploaded`,
      );
    }
  });
  const headersAt = alignUp(end, 8);
  const headers = sectionHeaders(pieces, names);
  const counts = { count: pieces.length, names: namesIndex };
  extents.unshift(bytesExtent(0, head(code, pieces, headersAt, counts)));
  extents.push(bytesExtent(headersAt, headers));
  setExtendedCounts(headers, counts);
  return { extents, size: headersAt + headers.length };
}

interface SectionCounts {
  readonly count: number;
  /** Index of the section of names. */
  readonly names: number;
}

/** Too many sections to say in 16 bits: header 0 says it. */
function isExtended(sections: SectionCounts): boolean {
  return sections.count >= SHN_LORESERVE;
}

function setExtendedCounts(headers: Uint8Array, sections: SectionCounts): void {
  const view = viewOf(headers);
  setU64(view, 32, isExtended(sections) ? sections.count : 0);
  view.setUint32(40, isExtended(sections) ? sections.names : 0, true);
}

/** The ELF header and the program headers, those of the binary. */
function head(
  code: ElfFile,
  pieces: readonly Piece[],
  headersAt: number,
  sections: SectionCounts,
): Uint8Array {
  const out = new Uint8Array(ELF_HEADER_BYTES + code.segments.length * PROGRAM_HEADER_BYTES);
  out.set(readExactly(code.source, 0, ELF_HEADER_BYTES, 'the ELF header'), 0);
  const view = viewOf(out);
  setU64(view, 32, code.segments.length === 0 ? 0 : ELF_HEADER_BYTES);
  setU64(view, 40, headersAt);
  view.setUint16(58, SECTION_HEADER_BYTES, true);
  view.setUint16(60, isExtended(sections) ? 0 : sections.count, true);
  view.setUint16(62, isExtended(sections) ? SHN_XINDEX : sections.names, true);
  writeProgramHeaders(code, pieces, out);
  return out;
}

function writeProgramHeaders(code: ElfFile, pieces: readonly Piece[], out: Uint8Array): void {
  if (code.segments.length === 0) return;
  const header = viewOf(readCopy(code.source, 32, 8, 'e_phoff'));
  const offset = header.getUint32(0, true) + header.getUint32(4, true) * 0x1_0000_0000;
  const size = code.segments.length * PROGRAM_HEADER_BYTES;
  out.set(readExactly(code.source, offset, size, 'the program header table'), ELF_HEADER_BYTES);
  const view = viewOf(out);
  code.segments.forEach((segment, index) => {
    if (segment.type !== PT_NOTE) return;
    const notes = pieces.find(
      (piece) =>
        piece.type === SHT_NOTE &&
        piece.read !== undefined &&
        piece.address === segment.address &&
        (piece.flags & SHF_ALLOC) !== 0,
    );
    const at = ELF_HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
    // One segment may span several notes; the others are found by their section headers.
    setU64(view, at + 8, notes?.offset ?? 0);
    setU64(view, at + 32, notes?.size ?? 0);
  });
}

function sectionHeaders(pieces: readonly Piece[], names: NameTable): Uint8Array {
  const out = new Uint8Array(pieces.length * SECTION_HEADER_BYTES);
  const view = viewOf(out);
  pieces.forEach((piece, index) => {
    const at = index * SECTION_HEADER_BYTES;
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
  return out;
}
