import type { BlockBuilder } from '../../block/block-builder.ts';
import { GrowableU32 } from '../../block/tables/growable.ts';
import { LINE_WORDS, LOCATION_HEAD } from '../../block/tables/interned-tables.ts';
import { FUNCTION, LINE, LOCATION, MAPPING } from './fields.ts';
import { IdIndex } from './id-index.ts';
import type { PprofLimits } from './limits.ts';
import { cutMarker, markerLocation } from '../cut-marker.ts';
import type { ImportChanges } from '../import-changes.ts';
import { countedFrom, isInRange, movesAsFile } from '../mapped-address.ts';
import type { MemoryRange } from '../mapped-address.ts';
import { mappingKind } from '../mapping-kind.ts';
import type { DropFrames } from './drop-frames.ts';
import { readKnownString } from './scan-profile.ts';
import { scratch } from './scratch.ts';
import type { ProfileLayout } from './scan-profile.ts';
import { WIRE } from './wire-reader.ts';
import type { WireReader } from './wire-reader.ts';

/** A row that was not asked for yet, in the columns that map to rows of the builder. */
const UNUSED = 0xffff_ffff;

/** Rows that stand for what the file does not have; it has fewer rows than that. */
const MISSING_ROW = 0x7fff_ffff;
const CUT_ROWS = 0x8000_0000;

/** What drop_frames makes of a location. */
export const PRUNE = { unknown: 0, nothing: 1, whole: 2, inner: 3 } as const;

const TWO_32 = 0x1_0000_0000;

/**
 * Mappings, functions and locations of a profile: all are read and checked, and the builder gets those
 * that samples use.
 */
export class PprofTables {
  readonly #builder: BlockBuilder;
  readonly #layout: ProfileLayout;
  readonly #limits: PprofLimits;
  readonly #changes: ImportChanges;
  readonly #drop: DropFrames | undefined;

  readonly #mappingIds: IdIndex;
  /** Of each mapping: start, limit and offset in memory. */
  readonly #mappingRange: Float64Array;
  /** Of each mapping: what addresses in it are reduced by; NaN: not asked yet. */
  readonly #mappingBias: Float64Array;
  readonly #mappingFile: Uint32Array;
  readonly #mappingBuildId: Uint32Array;
  readonly #mappingRow: Uint32Array;
  /** The same for addresses that became offsets in the file. */
  readonly #mappingOffsetRow: Uint32Array;
  /** By string of the file. */
  #beginnings: Map<number, number> | undefined;

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
  readonly #lines = scratch.growable();
  /** Column of each line; undefined until a line has one, which is rare. */
  #columns: GrowableU32 | undefined;
  readonly #locationRow: Uint32Array;
  #scratch = new Uint32Array(64);
  /** PRUNE of each location. */
  readonly #locationPrune: Uint8Array;

  constructor(
    reader: WireReader,
    layout: ProfileLayout,
    builder: BlockBuilder,
    {
      limits,
      changes,
      drop,
    }: {
      readonly limits: PprofLimits;
      readonly changes: ImportChanges;
      readonly drop: DropFrames | undefined;
    },
  ) {
    this.#builder = builder;
    this.#layout = layout;
    this.#limits = limits;
    this.#changes = changes;
    this.#drop = drop;
    const { mappings, functions, locations } = layout;
    this.#mappingIds = new IdIndex(mappings.length);
    this.#mappingFile = scratch.u32(mappings.length);
    this.#mappingBuildId = scratch.u32(mappings.length);
    this.#mappingRow = scratch.u32(mappings.length, UNUSED);
    this.#mappingOffsetRow = scratch.u32(mappings.length, UNUSED);
    this.#mappingRange = new Float64Array(mappings.length * 3);
    this.#mappingBias = new Float64Array(mappings.length).fill(Number.NaN);
    this.#functionIds = new IdIndex(functions.length);
    this.#functionName = scratch.u32(functions.length);
    this.#functionSystemName = scratch.u32(functions.length);
    this.#functionFilename = scratch.u32(functions.length);
    this.#functionStartLine = scratch.u32(functions.length);
    this.#functionRow = scratch.u32(functions.length, UNUSED);
    this.#locationIds = new IdIndex(locations.length);
    this.#locationMapping = scratch.u32(locations.length);
    this.#locationAddress = scratch.u32(locations.length * 2);
    this.#lineStart = scratch.u32(locations.length + 1);
    this.#locationRow = scratch.u32(locations.length, UNUSED);
    this.#locationPrune = new Uint8Array(locations.length);

    reader.entry = -1;
    reader.leaf = '';
    for (let row = 0; row < mappings.length; row++) this.#readMapping(reader, row, mappings[row]!);
    for (let row = 0; row < functions.length; row++) this.#readFunction(reader, row, functions[row]!);
    for (let row = 0; row < locations.length; row++) this.#readLocation(reader, row, locations[row]!);
  }

  /** The row of the location with an id (halves of a uint64); one that stands for it where there is none. */
  row(idLow: number, idHigh: number): number {
    const row = this.#locationIds.row(idLow, idHigh);
    if (row >= 0) return row;
    this.#changes.note('location_missing', () => `location ${idHigh * TWO_32 + idLow}`);
    return MISSING_ROW;
  }

  /** The row that stands for so many frames that were left out. */
  cutRow(leftOut: number): number {
    return CUT_ROWS + Math.min(leftOut, CUT_ROWS - 1);
  }

  /** The builder's location of a row. */
  location(row: number): number {
    if (row >= CUT_ROWS) return cutMarker(this.#builder, row - CUT_ROWS);
    if (row === MISSING_ROW) return markerLocation(this.#builder, '[missing location]');
    const known = this.#locationRow[row]!;
    return known === UNUSED ? this.#buildLocation(row) : known;
  }

  /** Whether drop_frames removes anything at all. */
  get drops(): boolean {
    return this.#drop !== undefined;
  }

  /** What drop_frames makes of a location: PRUNE. */
  pruning(row: number): number {
    if (this.#drop === undefined || row >= MISSING_ROW) return PRUNE.nothing;
    const known = this.#locationPrune[row]!;
    if (known !== PRUNE.unknown) return known;
    const line = this.#droppedLine(row);
    const outermost = this.#lineStart[row + 1]! - 1;
    const prune = line < 0 ? PRUNE.nothing : line === outermost ? PRUNE.whole : PRUNE.inner;
    this.#locationPrune[row] = prune;
    return prune;
  }

  /** The outermost line of a location that drop_frames removes, -1: none. */
  #droppedLine(row: number): number {
    const drop = this.#drop;
    if (drop === undefined) return -1;
    const lines = this.#lines.view();
    for (let line = this.#lineStart[row + 1]! - 1; line >= this.#lineStart[row]!; line--) {
      if (drop.drops(this.#text(this.#functionName[lines[2 * line]!]!))) return line;
    }
    return -1;
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
          this.#mappingRange[3 * row] = readWide(reader, 'memory_start');
          break;
        case MAPPING.memoryLimit:
          this.#mappingRange[3 * row + 1] = readWide(reader, 'memory_limit');
          break;
        case MAPPING.fileOffset:
          this.#mappingRange[3 * row + 2] = readWide(reader, 'file_offset');
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
    this.#claim(reader, this.#mappingIds, idLow, idHigh, row);
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
          this.#functionStartLine[row] = this.#readLineNumber(reader);
          break;
        default:
          reader.skip();
      }
    }
    reader.leave(outer);
    this.#claim(reader, this.#functionIds, idLow, idHigh, row);
  }

  #readLocation(reader: WireReader, row: number, offset: number): void {
    start(reader, 'location', row, offset);
    const outer = reader.enterLength();
    let idLow = 0;
    let idHigh = 0;
    let mappingLow = 0;
    let mappingHigh = 0;
    let lines = 0;
    while (reader.more()) {
      reader.field = '';
      switch (reader.tag()) {
        case LOCATION.id:
          reader.field = 'id';
          idLow = reader.uint();
          idHigh = reader.high;
          break;
        case LOCATION.mappingId:
          reader.field = 'mapping_id';
          mappingLow = reader.uint();
          mappingHigh = reader.high;
          break;
        case LOCATION.address:
          reader.field = 'address';
          this.#locationAddress[2 * row] = reader.uint();
          this.#locationAddress[2 * row + 1] = reader.high;
          break;
        case LOCATION.line:
          reader.field = 'line';
          reader.entry = lines++;
          if (lines > this.#limits.linesPerLocation) {
            this.#changes.note('lines_left_out', () => reader.path());
            reader.skip();
          } else this.#readLine(reader);
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
    this.#locationMapping[row] = this.#mappingOf(reader, mappingLow, mappingHigh) + 1;
    this.#claim(reader, this.#locationIds, idLow, idHigh, row);
  }

  #readLine(reader: WireReader): void {
    const outer = reader.enter();
    let idLow = 0;
    let idHigh = 0;
    let line = 0;
    let column = 0;
    while (reader.more()) {
      reader.leaf = '';
      switch (reader.tag()) {
        case LINE.functionId:
          reader.leaf = 'function_id';
          idLow = reader.uint();
          idHigh = reader.high;
          break;
        case LINE.line:
          reader.leaf = 'line';
          line = this.#readLineNumber(reader);
          break;
        case LINE.column:
          reader.leaf = 'column';
          column = this.#readLineNumber(reader);
          break;
        default:
          reader.skip();
      }
    }
    reader.leave(outer);
    reader.leaf = '';
    // Who counts from 0 has a function with id 0; else 0 is no function.
    const functionRow = this.#functionIds.row(idLow, idHigh);
    if (functionRow < 0) {
      this.#changes.note('function_missing', () => `${reader.path()}: function ${idHigh * TWO_32 + idLow}`);
      return;
    }
    this.#lines.push(functionRow);
    this.#lines.push(line);
    this.#noteColumn(column);
  }

  /** Of the line that was read last. */
  #noteColumn(column: number): void {
    if (column === 0 && this.#columns === undefined) return;
    if (this.#columns === undefined) {
      this.#columns = new GrowableU32();
      for (let before = this.#lines.length / 2 - 1; before > 0; before--) this.#columns.push(0);
    }
    this.#columns.push(column);
  }

  /** Row of a location's mapping, -1: none. Who counts from 0 has a mapping with id 0; else 0 is none. */
  #mappingOf(reader: WireReader, idLow: number, idHigh: number): number {
    const row = this.#mappingIds.row(idLow, idHigh);
    if (row < 0 && (idLow !== 0 || idHigh !== 0)) {
      this.#changes.note('mapping_missing', () => `${reader.path()}: mapping ${idHigh * TWO_32 + idLow}`);
    }
    return row;
  }

  #buildLocation(row: number): number {
    const mapping = this.#locationMapping[row]! - 1;
    // Lines are innermost first: drop_frames removes those up to the outermost that it matches.
    const dropped = this.pruning(row) === PRUNE.inner ? this.#droppedLine(row) + 1 : this.#lineStart[row]!;
    const end = this.#lineStart[row + 1]!;
    const size = LOCATION_HEAD + LINE_WORDS * (end - dropped);
    if (size > this.#scratch.length) this.#scratch = new Uint32Array(2 * size);
    const out = this.#scratch;
    out[0] = 0;
    out[1] = this.#locationAddress[2 * row]!;
    out[2] = this.#locationAddress[2 * row + 1]!;
    for (let line = dropped, at = LOCATION_HEAD; line < end; line++, at += LINE_WORDS) {
      out[at] = this.#function(this.#lines.at(2 * line));
      out[at + 1] = this.#lines.at(2 * line + 1);
      out[at + 2] = this.#columns?.at(line) ?? 0;
    }
    if (mapping >= 0) this.#place(out, mapping);
    return (this.#locationRow[row] = this.#builder.locationRow(out, size));
  }

  /** Puts a location's row into a mapping, its address counted by where that lies (mapped-address.ts). */
  #place(row: Uint32Array, mapping: number): void {
    row[0] = this.#mapping(mapping);
    const bias = this.#mappingBias[mapping]!;
    if (bias === 0) return;
    const address = row[2]! * TWO_32 + row[1]!;
    if (!isInRange(address, this.#range(mapping))) return;
    const place = address - bias;
    row[0] = this.#mappingOffsetRow[mapping]!;
    row[1] = place % TWO_32;
    row[2] = Math.floor(place / TWO_32);
  }

  /** Where the first byte of a mapping's file lies in memory, undefined where it is not mapped. */
  #beginning(mapping: number): number | undefined {
    if (this.#beginnings === undefined) {
      this.#beginnings = new Map();
      for (let row = 0; row < this.#mappingFile.length; row++) {
        const { start, offset } = this.#range(row);
        if (offset !== 0 || start === 0 || this.#mappingFile[row] === 0) continue;
        const binary = this.#binary(row);
        this.#beginnings.set(binary, Math.min(start, this.#beginnings.get(binary) ?? start));
      }
    }
    // Some writers give the build id to mappings of code only.
    const file = this.#mappingFile[mapping]! * TWO_32;
    return this.#beginnings.get(this.#binary(mapping)) ?? this.#beginnings.get(file);
  }

  /** Equal for mappings of one file: several builds may have been at one path. */
  #binary(mapping: number): number {
    return this.#mappingFile[mapping]! * TWO_32 + this.#mappingBuildId[mapping]!;
  }

  #range(mapping: number): MemoryRange {
    const range = this.#mappingRange;
    return { start: range[3 * mapping]!, limit: range[3 * mapping + 1]!, offset: range[3 * mapping + 2]! };
  }

  #mapping(row: number): number {
    const known = this.#mappingRow[row]!;
    if (known !== UNUSED) return known;
    const file = this.#text(this.#mappingFile[row]!);
    const buildId = this.#text(this.#mappingBuildId[row]!);
    const builder = this.#builder;
    const kind = mappingKind(file, buildId);
    const built = builder.mapping(builder.string(file), builder.string(buildId), kind);
    this.#mappingRow[row] = this.#mappingOffsetRow[row] = built;
    this.#mappingBias[row] = 0;
    if (!movesAsFile(kind)) return built;
    const { bias, isOffset } = countedFrom(this.#range(row), this.#beginning(row));
    this.#mappingBias[row] = bias;
    // Without a build id there are no symbols to be found, and nothing to be told apart.
    if (isOffset && buildId !== '')
      this.#mappingOffsetRow[row] = builder.mapping(
        builder.string(file),
        builder.string(buildId),
        'native_offset',
      );
    return built;
  }

  #function(row: number): number {
    const known = this.#functionRow[row]!;
    if (known !== UNUSED) return known;
    const builder = this.#builder;
    const { strings } = this.#layout;
    const name = strings.intern(builder, this.#functionName[row]!);
    const systemName = strings.intern(builder, this.#functionSystemName[row]!);
    builder.expectFilename(name);
    const filename = strings.intern(builder, this.#functionFilename[row]!);
    const built = builder.function(name, systemName, filename, this.#functionStartLine[row]!);
    this.#functionRow[row] = built;
    return built;
  }

  /** The first row keeps an id that several claim. Id 0 is legal here: some writers count from 0. */
  #claim(reader: WireReader, ids: IdIndex, low: number, high: number, row: number): void {
    const taken = ids.claim(low, high, row);
    if (taken >= 0) {
      this.#changes.note(
        'id_repeated',
        () => `${reader.table}[${row}] has the id of ${reader.table}[${taken}]`,
      );
    }
  }

  /** Source lines are u32. JVM tools write negative ones for native and unknown methods: unknown, 0. */
  #readLineNumber(reader: WireReader): number {
    const line = reader.uint();
    if (reader.high === 0) return line;
    this.#changes.note('line_unknown', () => `${reader.path()}: ${reader.int64(line)}`);
    return 0;
  }

  #string(reader: WireReader, field: string): number {
    reader.field = field;
    return readKnownString(reader, this.#layout.strings.length, this.#changes);
  }

  #text(index: number): string {
    return this.#layout.strings.at(index);
  }
}

function start(reader: WireReader, table: string, row: number, offset: number): void {
  reader.table = table;
  reader.row = row;
  reader.field = '';
  reader.seek(offset);
}

function checkVarint(reader: WireReader, field: string): void {
  reader.field = field;
  reader.expect(WIRE.varint);
  reader.varint();
}

/** A uint64 as the nearest number: places in user space are exact. */
function readWide(reader: WireReader, field: string): number {
  reader.field = field;
  const low = reader.uint();
  return reader.high * TWO_32 + low;
}
