/**
 * Functions of Go programs from their function table (layouts: @fleetflame/elf, go-pclntab-header.ts), with source
 * file and first line. Every value read is checked: a table that contradicts itself is an ElfError.
 */
import {
  ElfError,
  FUNC_LAYOUT,
  funcBase,
  parsePclntabHeader,
  type GoPclntab,
  type PclntabHeader,
} from '@fleetflame/elf';
import type { CodeAreas } from './code-areas.ts';
import { GoLines } from './go-lines.ts';
import type { LineSink } from './line-sink.ts';
import { zeroEnded, type SymbolList } from './symbol-list.ts';

/** With a size, but below every symbol of .symtab: that has the full names of generic functions. */
const GO_RANK = 64;
export const MAX_GO_FUNCTIONS = 8_000_000;

export interface GoTextHints {
  /** Address of runtime.text, from the symbol table. */
  readonly runtimeText: number | undefined;
  /** Entry point of the program, 0 for none. */
  readonly entry: number;
  /** Address of .text. */
  readonly text: number | undefined;
}

/** Adds the functions, and their lines; returns how many. */
export function addGoSymbols(
  table: GoPclntab,
  hints: GoTextHints,
  areas: CodeAreas,
  list: SymbolList,
  sink: LineSink,
): number {
  const header = parsePclntabHeader(table.bytes, table.bytes.length);
  if (header === undefined) throw new ElfError("Go's function table has no header of a known version");
  if (header.functions > MAX_GO_FUNCTIONS) {
    throw new ElfError(
      `Go's function table has ${header.functions} functions: at most ${MAX_GO_FUNCTIONS} are read`,
    );
  }
  return new Reader(table.bytes, header, list).addAll(hints, areas, sink);
}

class Reader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #header: PclntabHeader;
  readonly #list: SymbolList;
  readonly #nameTable: number;
  /** Offset of a file's name → index in list.files plus 1. */
  readonly #files = new Map<number, number>();

  constructor(bytes: Uint8Array, header: PclntabHeader, list: SymbolList) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#header = header;
    this.#list = list;
    this.#nameTable = list.addNames(bytes);
    list.shownTables.add(this.#nameTable);
  }

  addAll(hints: GoTextHints, areas: CodeAreas, sink: LineSink): number {
    const { functions, functabWidth } = this.#header;
    const base = functabWidth === 4 ? this.#textStart(hints) : 0;
    const before = this.#list.length;
    const lines = new GoLines(this.#bytes, this.#header);
    for (let index = 0; index < functions; index++) {
      const start = base + this.#entry(index);
      const area = areas.at(start);
      const end = base + this.#entry(index + 1);
      // Written so that NaN is refused too.
      if (!(end >= start)) throw new ElfError(`Go's function table: function ${index} ends before it starts`);
      // Text that a linker dropped, or a table that lies: nothing to look up there.
      if (area === undefined || end === start) continue;
      const record = this.#record(index);
      const nameOffset = this.#header.namesOffset + this.#u32(record + this.#header.functabWidth);
      if (nameOffset >= this.#bytes.length) {
        throw new ElfError(`Go's function table: the name of function ${index} lies outside`);
      }
      if (this.#bytes[nameOffset] === 0) continue;
      const within = Math.min(end, area.end);
      sink.add(start, within, () =>
        lines.rows(record, start, within - start, (file) => this.#fileOf(record, file)),
      );
      this.#list.add({
        start,
        end: within,
        bound: area.end,
        rank: GO_RANK,
        nameTable: this.#nameTable,
        nameOffset,
        file: this.#file(record),
        line: this.#line(record),
      });
    }
    return this.#list.length - before;
  }

  /**
   * The address that entries count from. The header has it (of Go 1.26 and later findGoPclntab fills it in), except
   * where relocations or the module are lost. Then: the symbol; or the start of .text, which is right unless an external linker put C's
   * start code first; or, without sections, what makes the entry point that of Go's start code.
   */
  #textStart(hints: GoTextHints): number {
    if (this.#header.textStart > 0) return this.#header.textStart;
    if (hints.runtimeText !== undefined) return hints.runtimeText;
    if (hints.text !== undefined) return hints.text;
    for (let index = 0; index < this.#header.functions; index++) {
      const name = this.#header.namesOffset + this.#u32(this.#record(index) + 4);
      const isStart = zeroEnded(this.#bytes, name).toString('latin1').startsWith('_rt0_');
      if (isStart && hints.entry > this.#entry(index)) return hints.entry - this.#entry(index);
    }
    throw new ElfError("Go's function table does not say where the text starts");
  }

  #entry(index: number): number {
    const { functabOffset, functabWidth } = this.#header;
    const at = functabOffset + index * 2 * functabWidth;
    return functabWidth === 4 ? this.#u32(at) : this.#u64(at);
  }

  #record(index: number): number {
    const { functabOffset, functabWidth, version } = this.#header;
    const at = functabOffset + (index * 2 + 1) * functabWidth;
    const record = funcBase(this.#header) + (functabWidth === 4 ? this.#u32(at) : this.#u64(at));
    if (!(record + FUNC_LAYOUT[version].bytes <= this.#bytes.length)) {
      throw new ElfError(`Go's function table: the record of function ${index} lies outside`);
    }
    return record;
  }

  /** Offset of a field behind `entry` and the name, which are the first two. */
  #field(record: number, index: number): number {
    return this.#u32(record + this.#header.functabWidth + index * 4);
  }

  #line(record: number): number {
    if (this.#header.version === '1.20') return this.#u32(record + 36) & 0x7fff_ffff;
    // name, args, deferreturn, pcsp, pcfile, pcln. The first value is the line of the first instruction: the function's
    // head, except in small functions without a prologue.
    return Math.max(0, this.#firstValue(this.#field(record, 5)));
  }

  #file(record: number): number {
    return this.#fileOf(record, this.#firstValue(this.#field(record, 4)));
  }

  /** Number in the list, plus 1, of a file by the function's index of it. */
  #fileOf(record: number, file: number): number {
    const { version, unitsOffset, filesOffset, functabWidth, functabOffset, functions } = this.#header;
    if (file < 0) return 0;
    let offset: number;
    if (version === '1.2') {
      const table = this.#u32(functabOffset + (functions * 2 + 1) * functabWidth);
      offset = this.#u32(table + file * 4);
    } else {
      const unit = this.#u32(record + (version === '1.16' ? 36 : 32));
      const inFiles = this.#u32(unitsOffset + (unit + file) * 4);
      if (inFiles === 0xffff_ffff) return 0;
      offset = filesOffset + inFiles;
    }
    if (offset >= this.#bytes.length) return 0;
    let known = this.#files.get(offset);
    if (known === undefined) {
      known = this.#list.files.push(zeroEnded(this.#bytes, offset).toString('utf8'));
      this.#files.set(offset, known);
    }
    return known;
  }

  /** The first of a table of values by program counter: a zigzag varint, counted from -1. */
  #firstValue(table: number): number {
    if (table === 0) return -1;
    let at = this.#header.pcOffset + table;
    let delta = 0;
    for (let shift = 0; shift < 32; shift += 7) {
      const byte = this.#bytes[at++];
      if (byte === undefined) return -1;
      delta |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const unsigned = delta >>> 0;
    return -1 + ((unsigned & 1) === 0 ? unsigned >>> 1 : -((unsigned + 1) / 2));
  }

  /** 0xffffffff, which no offset is, outside of the table. */
  #u32(at: number): number {
    return at >= 0 && at + 4 <= this.#bytes.length ? this.#view.getUint32(at, true) : 0xffff_ffff;
  }

  #u64(at: number): number {
    const high = this.#u32(at + 4);
    return high > 0x1f_ffff ? Number.NaN : high * 0x1_0000_0000 + this.#u32(at);
  }
}
