import type { BlockBuilder } from '../../block/block-builder.ts';
import { GrowableU32 } from '../../block/tables/growable.ts';
import { FUNCTION, LINE, LOCATION, MAPPING } from './fields.ts';
import { IdIndex } from './id-index.ts';
import type { PprofLimits } from './limits.ts';
import { mappingKind } from './mapping-kind.ts';
import { checkString, readStringIndex } from './scan-profile.ts';
import type { ProfileLayout } from './scan-profile.ts';
import { WIRE } from './wire-reader.ts';
import type { WireReader } from './wire-reader.ts';

/** A row that was not asked for yet, in the columns that map to rows of the builder. */
const UNUSED = 0xffff_ffff;

/**
 * Mappings, functions and locations of a profile: all are read and checked, and the builder gets those
 * that samples use.
 */
export class PprofTables {
  readonly #builder: BlockBuilder;
  readonly #layout: ProfileLayout;
  readonly #limits: PprofLimits;

  readonly #mappingIds: IdIndex;
  readonly #mappingFile: Uint32Array;
  readonly #mappingBuildId: Uint32Array;
  readonly #mappingRow: Uint32Array;

  readonly #functionIds: IdIndex;
  readonly #functionName: Uint32Array;
  readonly #functionSystemName: Uint32Array;
  readonly #functionFilename: Uint32Array;
  readonly #functionStartLine: Uint32Array;
  readonly #functionRow: Uint32Array;

  readonly #locationIds: IdIndex;
  /** Mapping plus one; 0: none. */
  readonly #locationMapping: Uint32Array;
  readonly #locationAddress: Uint32Array;
  /** Lines of location i are lineStart[i] to lineStart[i+1] pairs of (function, line). */
  readonly #lineStart: Uint32Array;
  readonly #lines = new GrowableU32();
  readonly #locationRow: Uint32Array;

  constructor(reader: WireReader, layout: ProfileLayout, builder: BlockBuilder, limits: PprofLimits) {
    this.#builder = builder;
    this.#layout = layout;
    this.#limits = limits;
    const { mappings, functions, locations } = layout;
    this.#mappingIds = new IdIndex(mappings.length);
    this.#mappingFile = new Uint32Array(mappings.length);
    this.#mappingBuildId = new Uint32Array(mappings.length);
    this.#mappingRow = new Uint32Array(mappings.length).fill(UNUSED);
    this.#functionIds = new IdIndex(functions.length);
    this.#functionName = new Uint32Array(functions.length);
    this.#functionSystemName = new Uint32Array(functions.length);
    this.#functionFilename = new Uint32Array(functions.length);
    this.#functionStartLine = new Uint32Array(functions.length);
    this.#functionRow = new Uint32Array(functions.length).fill(UNUSED);
    this.#locationIds = new IdIndex(locations.length);
    this.#locationMapping = new Uint32Array(locations.length);
    this.#locationAddress = new Uint32Array(locations.length * 2);
    this.#lineStart = new Uint32Array(locations.length + 1);
    this.#locationRow = new Uint32Array(locations.length).fill(UNUSED);

    reader.entry = -1;
    reader.leaf = '';
    for (let row = 0; row < mappings.length; row++) this.#readMapping(reader, row, mappings[row]!);
    for (let row = 0; row < functions.length; row++) this.#readFunction(reader, row, functions[row]!);
    for (let row = 0; row < locations.length; row++) this.#readLocation(reader, row, locations[row]!);
  }

  /** The builder's location for an id (halves of a uint64); undefined when no location has it. */
  location(idLow: number, idHigh: number): number | undefined {
    const row = this.#locationIds.row(idLow, idHigh);
    if (row < 0) return undefined;
    const known = this.#locationRow[row]!;
    return known === UNUSED ? this.#buildLocation(row) : known;
  }

  #readMapping(reader: WireReader, row: number, offset: number): void {
    start(reader, 'mapping', row, offset);
    const outer = reader.enterLength();
    let idLow = 0;
    let idHigh = 0;
    while (reader.more()) {
      reader.field = '';
      switch (reader.tag()) {
        case MAPPING.id:
          reader.field = 'id';
          idLow = reader.uint();
          idHigh = reader.high;
          break;
        case MAPPING.filename:
          this.#mappingFile[row] = this.#string(reader, 'filename');
          break;
        case MAPPING.buildId:
          this.#mappingBuildId[row] = this.#string(reader, 'build_id');
          break;
        case MAPPING.memoryStart:
          checkVarint(reader, 'memory_start');
          break;
        case MAPPING.memoryLimit:
          checkVarint(reader, 'memory_limit');
          break;
        case MAPPING.fileOffset:
          checkVarint(reader, 'file_offset');
          break;
        case MAPPING.hasFunctions:
        case MAPPING.hasFilenames:
        case MAPPING.hasLineNumbers:
        case MAPPING.hasInlineFrames:
          checkVarint(reader, 'has_functions and the like');
          break;
        default:
          reader.skip();
      }
    }
    reader.leave(outer);
    claim(reader, this.#mappingIds, idLow, idHigh, row);
  }

  #readFunction(reader: WireReader, row: number, offset: number): void {
    start(reader, 'function', row, offset);
    const outer = reader.enterLength();
    let idLow = 0;
    let idHigh = 0;
    while (reader.more()) {
      reader.field = '';
      switch (reader.tag()) {
        case FUNCTION.id:
          reader.field = 'id';
          idLow = reader.uint();
          idHigh = reader.high;
          break;
        case FUNCTION.name:
          this.#functionName[row] = this.#string(reader, 'name');
          break;
        case FUNCTION.systemName:
          this.#functionSystemName[row] = this.#string(reader, 'system_name');
          break;
        case FUNCTION.filename:
          this.#functionFilename[row] = this.#string(reader, 'filename');
          break;
        case FUNCTION.startLine:
          reader.field = 'start_line';
          this.#functionStartLine[row] = readLineNumber(reader);
          break;
        default:
          reader.skip();
      }
    }
    reader.leave(outer);
    claim(reader, this.#functionIds, idLow, idHigh, row);
  }

  #readLocation(reader: WireReader, row: number, offset: number): void {
    start(reader, 'location', row, offset);
    const outer = reader.enterLength();
    let idLow = 0;
    let idHigh = 0;
    let lines = 0;
    while (reader.more()) {
      reader.field = '';
      switch (reader.tag()) {
        case LOCATION.id:
          reader.field = 'id';
          idLow = reader.uint();
          idHigh = reader.high;
          break;
        case LOCATION.mappingId: {
          reader.field = 'mapping_id';
          const id = reader.uint();
          const mapping = id === 0 && reader.high === 0 ? -1 : this.#mappingIds.row(id, reader.high);
          if (mapping < 0 && (id !== 0 || reader.high !== 0)) throw missing(reader, id, 'mapping');
          this.#locationMapping[row] = mapping + 1;
          break;
        }
        case LOCATION.address:
          reader.field = 'address';
          this.#locationAddress[2 * row] = reader.uint();
          this.#locationAddress[2 * row + 1] = reader.high;
          break;
        case LOCATION.line:
          reader.field = 'line';
          reader.entry = lines++;
          if (lines > this.#limits.linesPerLocation) {
            throw reader.tooMany('linesPerLocation', 'lines at one location', this.#limits.linesPerLocation);
          }
          this.#readLine(reader);
          reader.entry = -1;
          break;
        case LOCATION.isFolded:
          checkVarint(reader, 'is_folded');
          break;
        default:
          reader.skip();
      }
    }
    reader.leave(outer);
    this.#lineStart[row + 1] = this.#lines.length / 2;
    claim(reader, this.#locationIds, idLow, idHigh, row);
  }

  #readLine(reader: WireReader): void {
    const outer = reader.enter();
    let functionRow = -1;
    let line = 0;
    while (reader.more()) {
      reader.leaf = '';
      switch (reader.tag()) {
        case LINE.functionId: {
          reader.leaf = 'function_id';
          const id = reader.uint();
          functionRow = this.#functionIds.row(id, reader.high);
          if (functionRow < 0) throw missing(reader, id, 'function');
          break;
        }
        case LINE.line:
          reader.leaf = 'line';
          line = readLineNumber(reader);
          break;
        case LINE.column:
          reader.leaf = 'column';
          reader.uint();
          break;
        default:
          reader.skip();
      }
    }
    reader.leave(outer);
    reader.leaf = 'function_id';
    if (functionRow < 0) throw reader.broken('the line names no function');
    reader.leaf = '';
    this.#lines.push(functionRow);
    this.#lines.push(line);
  }

  #buildLocation(row: number): number {
    const mapping = this.#locationMapping[row]!;
    const from = 2 * this.#lineStart[row]!;
    const to = 2 * this.#lineStart[row + 1]!;
    const lines = this.#lines.view().slice(from, to);
    for (let i = 0; i < lines.length; i += 2) lines[i] = this.#function(lines[i]!);
    const built = this.#builder.location(
      mapping === 0 ? 0 : this.#mapping(mapping - 1),
      this.#locationAddress[2 * row]!,
      this.#locationAddress[2 * row + 1]!,
      lines,
    );
    this.#locationRow[row] = built;
    return built;
  }

  #mapping(row: number): number {
    const known = this.#mappingRow[row]!;
    if (known !== UNUSED) return known;
    const file = this.#text(this.#mappingFile[row]!);
    const buildId = this.#text(this.#mappingBuildId[row]!);
    const builder = this.#builder;
    const built = builder.mapping(builder.string(file), builder.string(buildId), mappingKind(file, buildId));
    this.#mappingRow[row] = built;
    return built;
  }

  #function(row: number): number {
    const known = this.#functionRow[row]!;
    if (known !== UNUSED) return known;
    const builder = this.#builder;
    const built = builder.function(
      builder.string(this.#text(this.#functionName[row]!)),
      builder.string(this.#text(this.#functionSystemName[row]!)),
      builder.string(this.#text(this.#functionFilename[row]!)),
      this.#functionStartLine[row]!,
    );
    this.#functionRow[row] = built;
    return built;
  }

  #string(reader: WireReader, field: string): number {
    reader.field = field;
    return checkString(reader, readStringIndex(reader), this.#layout.strings.length);
  }

  #text(index: number): string {
    return this.#layout.strings[index] ?? '';
  }
}

function start(reader: WireReader, table: string, row: number, offset: number): void {
  reader.table = table;
  reader.row = row;
  reader.field = '';
  reader.seek(offset);
}

function claim(reader: WireReader, ids: IdIndex, low: number, high: number, row: number): void {
  reader.field = 'id';
  if (low === 0 && high === 0) throw reader.broken('the id must not be 0');
  const taken = ids.claim(low, high, row);
  if (taken >= 0) throw reader.broken(`the id is that of ${reader.table}[${taken}], too`);
}

function missing(reader: WireReader, low: number, table: string): Error {
  return reader.broken(`there is no ${table} with id ${BigInt.asUintN(64, reader.int64(low))}`);
}

function checkVarint(reader: WireReader, field: string): void {
  reader.field = field;
  reader.expect(WIRE.varint);
  reader.varint();
}

/** Source lines are u32. JVM tools write negative ones for native and unknown methods: unknown, 0. */
function readLineNumber(reader: WireReader): number {
  const line = reader.uint();
  if (reader.high === 0) return line;
  if (reader.high >= 0x8000_0000) return 0;
  throw reader.broken(`there is no line ${reader.int64(line)}`);
}
