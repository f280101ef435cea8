/**
 * Where Go's function table lies. Go needs it at run time, so no `strip` removes it: for stripped Go programs it is
 * the only source of names. It has a section of its own, except in position-independent programs that an external
 * linker made (there it is a part of .data.rel.ro) and in files without section headers: there it is found by its
 * header, which is then checked field by field.
 *
 * ```
 * u32 magic | 0 0 | u8 instruction quantum | u8 pointer bytes | offsets of the parts … | parts
 * ```
 */
import { PF_X, PT_LOAD, SHT_NOBITS } from './constants.ts';
import { ElfError } from './elf-error.ts';
import type { ElfFile } from './elf-file.ts';
import { firstGoCode, relativeRelocations } from './go-module.ts';
import { readCopy, setU64, viewOf } from './internal/fields.ts';
import {
  isPclntabStart,
  PCLNTAB_HEADER_BYTES,
  PCLNTAB_TEXT_START_AT,
  parsePclntabHeader,
  pclntabExtent,
} from './go-pclntab-header.ts';
import { ELF_LIMITS } from './limits.ts';

/** Names under which Go's linker stores its function table as a section of its own. */
export const GO_PCLNTAB_SECTIONS: ReadonlySet<string> = new Set(['.gopclntab', '.data.rel.ro.gopclntab']);

export interface GoPclntab {
  /** ELF virtual address of the first byte. */
  readonly address: number;
  /** A copy of the table, with the addresses that the file leaves to the loader, and the start of the text. */
  readonly bytes: Uint8Array;
}

/** Where the table lies, for those who do not want all of it in memory. */
export interface GoPclntabPlace {
  readonly address: number;
  /** In the file. */
  readonly offset: number;
  readonly size: number;
  /** Words that the loader fills in, and the start of the text where the header lacks it, flat: offset within the table, value, offset, value, … */
  readonly relocations: Float64Array;
}

interface Region {
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** @throws ElfError when the file claims a table that lies outside of it. */
export function findGoPclntab(file: ElfFile): GoPclntab | undefined {
  const place = locateGoPclntab(file);
  if (place === undefined) return undefined;
  const bytes = readCopy(file.source, place.offset, place.size, "Go's function table");
  relocateGoPclntab(bytes, 0, place.relocations);
  return { address: place.address, bytes };
}

/** @throws ElfError when the table is larger than is read. */
export function locateGoPclntab(file: ElfFile): GoPclntabPlace | undefined {
  const section = file.sections.find((one) => GO_PCLNTAB_SECTIONS.has(one.name) && one.type !== SHT_NOBITS);
  const region = section ?? (looksLikeGo(file) ? scan(file) : undefined);
  if (region === undefined) return undefined;
  const { address, offset, size } = region;
  if (size > ELF_LIMITS.sectionBytes) {
    throw new ElfError(`Go's function table has ${size} bytes: at most ${ELF_LIMITS.sectionBytes} are read`);
  }
  // In position-independent programs the start of the text and, up to Go 1.17, every function are left to the loader.
  const relocations = relativeRelocations(file, address, size);
  return { address, offset, size, relocations: withTextStart(file, region, relocations) };
}

/** Since Go 1.26 the header has no start of the text: it is filled in like what is left to the loader. */
function withTextStart(file: ElfFile, table: Region, relocations: Float64Array): Float64Array {
  const { offset, size } = table;
  const read = (at: number, length: number): Uint8Array | undefined =>
    at + length > size || offset + at + length > file.source.size
      ? undefined
      : new Uint8Array(file.source.read(offset + at, length));
  const head = read(0, Math.min(size, PCLNTAB_HEADER_BYTES));
  const header = head === undefined ? undefined : parsePclntabHeader(head, size);
  if (header === undefined || header.functabWidth !== 4 || header.textStart !== 0) return relocations;
  for (let index = 0; index < relocations.length; index += 2) {
    if (relocations[index] === PCLNTAB_TEXT_START_AT) return relocations;
  }
  const firstEntry = read(header.functabOffset, header.functabWidth);
  const firstCode = firstGoCode(file, table.address);
  if (firstEntry === undefined || firstCode === undefined) return relocations;
  const text = firstCode - viewOf(firstEntry).getUint32(0, true);
  if (text <= 0) return relocations;
  const all = new Float64Array(relocations.length + 2);
  all.set(relocations);
  all.set([PCLNTAB_TEXT_START_AT, text], relocations.length);
  return all;
}

/** Fills in the words that lie in `bytes`, which begin `start` bytes into the table; words may be cut by its ends. */
export function relocateGoPclntab(bytes: Uint8Array, start: number, relocations: Float64Array): void {
  const word = new DataView(new ArrayBuffer(8));
  for (let index = 0; index < relocations.length; index += 2) {
    const at = relocations[index]! - start;
    if (at <= -8 || at >= bytes.length) continue;
    setU64(word, 0, relocations[index + 1]!);
    for (let byte = 0; byte < 8; byte++) {
      if (at + byte >= 0 && at + byte < bytes.length) bytes[at + byte] = word.getUint8(byte);
    }
  }
}

function looksLikeGo(file: ElfFile): boolean {
  return file.goBuildId !== undefined || file.section('.go.buildinfo') !== undefined;
}

/** .data.rel.ro and .rodata, or, without section headers, the segments that hold no code. */
function regions(file: ElfFile): Region[] {
  if (file.sections.length > 0) {
    const names = new Set(['.data.rel.ro', '.rodata']);
    return file.sections.filter((one) => names.has(one.name) && one.type !== SHT_NOBITS && one.offset > 0);
  }
  return file.segments
    .filter((segment) => segment.type === PT_LOAD)
    .sort((a, b) => (a.flags & PF_X) - (b.flags & PF_X))
    .map(({ offset, address, fileSize }) => ({ offset, address, size: fileSize }));
}

/** Read at once while looking for the table. */
const SCAN_BYTES = 1024 * 1024;
/** The table starts at a multiple of 32 in all versions; 8 is what its contents need. */
const SCAN_STEP = 8;
/** Places that look right at first sight but do not hold: each costs a read. */
const MAX_FALSE_STARTS = 1000;

function scan(file: ElfFile): Region | undefined {
  let falseStarts = 0;
  for (const region of regions(file)) {
    const end = Math.min(region.offset + region.size, file.source.size);
    for (const offset of candidates(file, region, end)) {
      const available = end - offset;
      const read = (at: number, length: number): Uint8Array | undefined =>
        at + length > available ? undefined : new Uint8Array(file.source.read(offset + at, length));
      const head = read(0, Math.min(available, PCLNTAB_HEADER_BYTES));
      const header = head === undefined ? undefined : parsePclntabHeader(head, available);
      const size = header === undefined ? undefined : pclntabExtent(header, available, read);
      if (size !== undefined) return { offset, address: offset - region.offset + region.address, size };
      if (++falseStarts >= MAX_FALSE_STARTS) return undefined;
    }
  }
  return undefined;
}

function* candidates(file: ElfFile, region: Region, end: number): Generator<number> {
  const first = region.offset + ((SCAN_STEP - (region.address % SCAN_STEP)) % SCAN_STEP);
  for (let base = first; base + PCLNTAB_HEADER_BYTES <= end; base += SCAN_BYTES) {
    const view = viewOf(file.source.read(base, Math.min(SCAN_BYTES, end - base)));
    // Collected before the first is looked at: that may reuse the source's buffer.
    const found: number[] = [];
    for (let at = 0; at + SCAN_STEP <= view.byteLength && found.length < MAX_FALSE_STARTS; at += SCAN_STEP) {
      if (isPclntabStart(view, at)) found.push(base + at);
    }
    yield* found;
  }
}
