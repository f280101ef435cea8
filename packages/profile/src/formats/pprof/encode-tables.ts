import { MAPPING_KINDS, type Block } from '../../block/block.ts';
import { movesAsFile } from '../mapped-address.ts';
import { mappingKind } from '../mapping-kind.ts';
import { FUNCTION, LINE, LOCATION, MAPPING, PROFILE } from './fields.ts';
import type { WireWriter } from './wire-writer.ts';

/** Mappings are pages: 4 KiB on every platform that counts. */
const PAGE = 0x1000n;

const NATIVE_OFFSET = MAPPING_KINDS.indexOf('native_offset');
/** Where the kernel puts position-independent programs on x86-64. */
const LOADED_AT = 0x5555_5555_4000n;
/** Beyond, such addresses would not be exact numbers for a reader. */
const LARGEST_OFFSET = 1n << 47n;

/** What the locations of one mapping have in common. */
interface MappingUse {
  readonly id: number;
  low: bigint;
  high: bigint;
  hasFunctions: boolean;
  hasFilenames: boolean;
  hasLineNumbers: boolean;
  hasInlineFrames: boolean;
}

/** Gives rows of a block their ids and strings in a pprof file, and writes those that were asked for. */
export class PprofTableWriter {
  readonly #block: Block;
  readonly #writer: WireWriter;
  /** By location: its id, 0 for none yet. */
  readonly #locationIds: Uint32Array;
  readonly #locations: number[] = [];
  readonly #functionIds: Uint32Array;
  readonly #functions: number[] = [];
  readonly #mappings = new Map<number, MappingUse>();
  readonly #above = new Map<number, bigint>();
  readonly #strings = new Map<string, number>([['', 0]]);

  constructor(block: Block, writer: WireWriter) {
    this.#block = block;
    this.#writer = writer;
    this.#locationIds = new Uint32Array(block.locations.length);
    this.#functionIds = new Uint32Array(block.functions.length);
  }

  /** The index of a text in the string table. */
  string(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    const index = this.#strings.size;
    this.#strings.set(text, index);
    return index;
  }

  /** The id of a location. */
  location(row: number): number {
    const known = this.#locationIds[row]!;
    if (known !== 0) return known;
    this.#locations.push(row);
    this.#locationIds[row] = this.#locations.length;
    return this.#locations.length;
  }

  /** Writes the locations asked for, their functions and their mappings. */
  write(): void {
    for (const row of this.#locations) this.#writeLocation(row);
    for (const row of this.#functions) this.#writeFunction(row);
    for (const [row, use] of this.#mappings) this.#writeMapping(row, use);
  }

  /** Writes the string table; nothing may ask for a string after it. */
  writeStrings(): void {
    for (const text of this.#strings.keys()) this.#writer.string(PROFILE.stringTable, text);
  }

  #function(row: number): number {
    const known = this.#functionIds[row]!;
    if (known !== 0) return known;
    this.#functions.push(row);
    this.#functionIds[row] = this.#functions.length;
    return this.#functions.length;
  }

  #writeLocation(row: number): void {
    const { locations, functions, strings } = this.#block;
    const writer = this.#writer;
    const address = locations.address[row]!;
    const from = locations.lineStart[row]!;
    const to = locations.lineStart[row + 1]!;
    const mapping = this.#mapping(locations.mapping[row]!, address);
    const above = this.#placedAbove(locations.mapping[row]!);
    const message = writer.begin(PROFILE.location);
    writer.uint(LOCATION.id, this.#locationIds[row]!);
    writer.uint(LOCATION.mappingId, mapping?.id ?? 0);
    writer.bigint(LOCATION.address, address + above);
    for (let line = from; line < to; line++) {
      const fn = locations.lineFunction[line]!;
      const number = locations.lineNumber[line]!;
      const inner = writer.begin(LOCATION.line);
      writer.uint(LINE.functionId, this.#function(fn));
      writer.uint(LINE.line, number);
      writer.uint(LINE.column, locations.lineColumn[line]!);
      writer.end(inner);
      if (mapping === undefined) continue;
      if (strings.at(functions.filename[fn]!) === '') mapping.hasFilenames = false;
      if (number === 0) mapping.hasLineNumbers = false;
    }
    writer.end(message);
    if (mapping === undefined) return;
    if (from === to) {
      mapping.hasFunctions = false;
      mapping.hasFilenames = false;
      mapping.hasLineNumbers = false;
    }
    if (to - from > 1) mapping.hasInlineFrames = true;
  }

  #mapping(row: number, address: bigint): MappingUse | undefined {
    if (row === 0) return undefined;
    let use = this.#mappings.get(row);
    if (use === undefined) {
      use = {
        id: this.#mappings.size + 1,
        low: address,
        high: address,
        hasFunctions: true,
        hasFilenames: true,
        hasLineNumbers: true,
        hasInlineFrames: false,
      };
      this.#mappings.set(row, use);
    }
    if (address < use.low) use.low = address;
    if (address > use.high) use.high = address;
    return use;
  }

  #writeFunction(row: number): void {
    const { functions, strings } = this.#block;
    const writer = this.#writer;
    const message = writer.begin(PROFILE.function);
    writer.uint(FUNCTION.id, this.#functionIds[row]!);
    writer.uint(FUNCTION.name, this.string(strings.at(functions.name[row]!)));
    writer.uint(FUNCTION.systemName, this.string(strings.at(functions.systemName[row]!)));
    writer.uint(FUNCTION.filename, this.string(strings.at(functions.filename[row]!)));
    writer.uint(FUNCTION.startLine, functions.startLine[row]!);
    writer.end(message);
  }

  /** Offsets in a file are written as a process has them whose program was loaded high: a reader makes offsets of them again. */
  #placedAbove(mapping: number): bigint {
    let above = this.#above.get(mapping);
    if (above !== undefined) return above;
    const { mappings, locations, strings } = this.#block;
    const buildId = strings.at(mappings.buildId[mapping]!);
    above =
      mappings.kind[mapping] === NATIVE_OFFSET &&
      buildId !== '' &&
      movesAsFile(mappingKind(strings.at(mappings.file[mapping]!), buildId)) &&
      locations.address.every(
        (address, row) => locations.mapping[row] !== mapping || address < LARGEST_OFFSET,
      )
        ? LOADED_AT
        : 0n;
    this.#above.set(mapping, above);
    return above;
  }

  #writeMapping(row: number, use: MappingUse): void {
    const { mappings, strings } = this.#block;
    const writer = this.#writer;
    const start = use.low & ~(PAGE - 1n);
    const limit = BigInt.asUintN(64, (use.high | (PAGE - 1n)) + 1n);
    const message = writer.begin(PROFILE.mapping);
    writer.uint(MAPPING.id, use.id);
    const above = this.#placedAbove(row);
    writer.bigint(MAPPING.memoryStart, start + above);
    writer.bigint(MAPPING.memoryLimit, limit === 0n ? 0xffff_ffff_ffff_ffffn : limit + above);
    writer.bigint(MAPPING.fileOffset, start);
    writer.uint(MAPPING.filename, this.string(strings.at(mappings.file[row]!)));
    writer.uint(MAPPING.buildId, this.string(strings.at(mappings.buildId[row]!)));
    writer.uint(MAPPING.hasFunctions, Number(use.hasFunctions));
    writer.uint(MAPPING.hasFilenames, Number(use.hasFilenames));
    writer.uint(MAPPING.hasLineNumbers, Number(use.hasLineNumbers));
    writer.uint(MAPPING.hasInlineFrames, Number(use.hasInlineFrames));
    writer.end(message);
  }
}
