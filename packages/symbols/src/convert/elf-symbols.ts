/** Function symbols of .symtab and .dynsym. */
import { ElfError, elfConstants, type ElfFile, type ElfSection } from '@fleetflame/elf';
import type { CodeArea, CodeAreas } from './code-areas.ts';
import type { SymbolList } from './symbol-list.ts';

const STT_NOTYPE = 0;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const STB_LOCAL = 0;
const STB_WEAK = 2;

/** 24 bytes each. Chromium has 1.5 million. */
export const MAX_SYMBOLS = 16_000_000;

/**
 * Rank among symbols of one address: with size before without, then .symtab before .dynsym (the same names, but
 * complete), then global before weak before local, then functions before labels of assembly code.
 */
function rankOf(sized: boolean, complete: boolean, binding: number, type: number): number {
  const bound = binding === STB_LOCAL ? 0 : binding === STB_WEAK ? 1 : 2;
  return (sized ? 64 : 0) + bound * 4 + (type === STT_NOTYPE ? 0 : 2) + (complete ? 1 : 0);
}

/** Adds the symbols of one table; returns how many. */
export function addElfSymbols(file: ElfFile, table: ElfSection, areas: CodeAreas, list: SymbolList): number {
  const { SYMBOL_BYTES, SHN_LORESERVE, SHN_XINDEX, SHN_UNDEF } = elfConstants;
  const strings = file.sections[table.link];
  if (strings === undefined)
    throw new ElfError(`${table.name}: its strings are said to be in section ${table.link}`);
  const count = Math.floor(table.size / SYMBOL_BYTES);
  if (count > MAX_SYMBOLS)
    throw new ElfError(`${table.name} has ${count} symbols: at most ${MAX_SYMBOLS} are read`);
  const bytes = file.bytes(table);
  const names = file.bytes(strings);
  const nameTable = list.addNames(names);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const large = sectionIndices(file, table);
  const complete = table.type === elfConstants.SHT_SYMTAB;
  const before = list.length;
  for (let at = SYMBOL_BYTES; at + SYMBOL_BYTES <= bytes.length; at += SYMBOL_BYTES) {
    const info = bytes[at + 4] ?? 0;
    const type = info & 15;
    if (type !== STT_FUNC && type !== STT_GNU_IFUNC && type !== STT_NOTYPE) continue;
    let section = view.getUint16(at + 6, true);
    if (section === SHN_XINDEX) section = large?.getUint32((at / SYMBOL_BYTES) * 4, true) ?? SHN_UNDEF;
    else if (section >= SHN_LORESERVE) continue;
    if (section === SHN_UNDEF) continue;
    const start = u64(view, at + 8);
    const area: CodeArea | undefined = areas.ofSection(section, start);
    const nameOffset = view.getUint32(at, true);
    if (area === undefined || nameOffset >= names.length || names[nameOffset] === 0) continue;
    if (type === STT_NOTYPE && isMappingSymbol(names, nameOffset)) continue;
    const size = u64(view, at + 16);
    list.add({
      start,
      end: size > 0 ? Math.min(start + size, area.end) : 0,
      bound: area.end,
      rank: rankOf(size > 0, complete, info >> 4, type),
      nameTable,
      nameOffset,
    });
  }
  return list.length - before;
}

/** Number beyond 2^53: not an address here. */
function u64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high > 0x1f_ffff ? Number.NaN : high * 0x1_0000_0000 + view.getUint32(at, true);
}

/** Section numbers that do not fit 16 bits stand in a table of their own, which links to the symbols. */
function sectionIndices(file: ElfFile, table: ElfSection): DataView | undefined {
  const index = file.sections.indexOf(table);
  const section = file.sections.find(
    (one) => one.type === elfConstants.SHT_SYMTAB_SHNDX && one.link === index,
  );
  if (section === undefined) return undefined;
  const expected = Math.floor(table.size / elfConstants.SYMBOL_BYTES) * 4;
  if (section.size < expected) throw new ElfError(`${section.name} is shorter than ${table.name} needs`);
  const bytes = file.bytes(section);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const DOLLAR = 0x24;
const DOT = 0x2e;

/** aarch64 marks changes between code ($x) and data ($d) with local labels: they name nothing. */
function isMappingSymbol(names: Uint8Array, offset: number): boolean {
  if (names[offset] !== DOLLAR) return false;
  const kind = names[offset + 1] ?? 0;
  const next = names[offset + 2] ?? 0;
  return kind >= 0x61 && kind <= 0x7a && (next === 0 || next === DOT);
}
