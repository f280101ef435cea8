/**
 * The five tables around the samples, being built: every distinct row once. The builder and the
 * merge put rows in here and `assembleBlock` takes them out.
 */
import type {
  FunctionIndex,
  FunctionTable,
  LocationIndex,
  LocationTable,
  MappingIndex,
  MappingTable,
  SeriesIndex,
  StackIndex,
  StackTable,
  StringIndex,
} from '../block.ts';
import { giveBack } from '../give-back.ts';
import { RowInterner } from './row-interner.ts';
import { StringInterner } from './string-interner.ts';
import { TupleInterner } from './tuple-interner.ts';

/** Of a location row: mapping, address low, address high; then LINE_WORDS for each line. */
export const LOCATION_HEAD = 3;
/** Function, line and column of a location's line. */
export const LINE_WORDS = 3;
/** Of a series row: profile type, period low, period high, kind; then label name and value in turns. */
export const SERIES_HEAD = 4;

const TWO_32 = 0x1_0000_0000;
const FIRST_GUESSES = 256;

export class InternedTables {
  readonly strings = new StringInterner();
  readonly #mappings = new TupleInterner(3);
  readonly #functions = new TupleInterner(4);
  readonly #locations = new RowInterner();
  /** (parent + 1, location), so that the root, (0, 0), differs from every child of the root. */
  readonly #stacks = new TupleInterner(2);
  readonly #series = new RowInterner();

  /**
   * Row + 1 of the last function of each name, and of the last location whose innermost line is of each function.
   * A program has mostly one of each, so what was found last needs no hash, in whatever order names come.
   */
  #functionOfName = new Uint32Array(FIRST_GUESSES);
  #locationOfFunction = new Uint32Array(FIRST_GUESSES);

  constructor() {
    this.#mappings.intern(0, 0, 0);
    this.#stacks.intern(0, 0);
  }

  /** A function that will be asked for has this name: so has it, perhaps, the source file of the last one that had. */
  expectFilename(name: StringIndex): void {
    const row = this.#expectFunction(name);
    if (row > 0) this.strings.expect(this.#functions.at(row - 1, 2));
  }

  /** Row + 1 of the last function of the name; 0: there was none. */
  #expectFunction(name: StringIndex): number {
    if (name >= this.#functionOfName.length) this.#functionOfName = enlarged(this.#functionOfName, name);
    const row = this.#functionOfName[name]!;
    if (row > 0) this.#functions.expect(row - 1);
    return row;
  }

  get mappingCount(): number {
    return this.#mappings.length;
  }

  get functionCount(): number {
    return this.#functions.length;
  }

  get locationCount(): number {
    return this.#locations.length;
  }

  get stackCount(): number {
    return this.#stacks.length;
  }

  get seriesCount(): number {
    return this.#series.length;
  }

  string(text: string): StringIndex {
    return this.strings.text(text);
  }

  mapping(file: StringIndex, buildId: StringIndex, kind: number): MappingIndex {
    return this.#mappings.intern(file, buildId, kind);
  }

  function(name: StringIndex, systemName: StringIndex, filename: StringIndex, line: number): FunctionIndex {
    this.#expectFunction(name);
    const row = this.#functions.intern(name, systemName, filename, line);
    this.#functionOfName[name] = row + 1;
    return row;
  }

  /** `row`: LOCATION_HEAD numbers and the lines. */
  location(row: Uint32Array, size: number): LocationIndex {
    if (size <= LOCATION_HEAD) return this.#locations.intern(row, size);
    const callee = row[LOCATION_HEAD]!;
    if (callee >= this.#locationOfFunction.length)
      this.#locationOfFunction = enlarged(this.#locationOfFunction, callee);
    const before = this.#locationOfFunction[callee]!;
    if (before !== 0) this.#locations.expect(before - 1);
    const location = this.#locations.intern(row, size);
    this.#locationOfFunction[callee] = location + 1;
    return location;
  }

  stack(parent: StackIndex, location: LocationIndex): StackIndex {
    return this.#stacks.intern(parent + 1, location);
  }

  /** `row`: SERIES_HEAD numbers and the labels, ascending by name. */
  series(row: Uint32Array, size: number): SeriesIndex {
    return this.#series.intern(row, size);
  }

  seriesRows(): { readonly data: Uint32Array; readonly starts: Uint32Array } {
    return { data: this.#series.data(), starts: this.#series.starts() };
  }

  /** String of a series' profile type. */
  profileTypeOf(series: SeriesIndex): StringIndex {
    return this.#series.at(series, 0);
  }

  /** The rows themselves, one after another: views that the next intern may leave behind. */
  locationRows(): { readonly data: Uint32Array; readonly starts: Uint32Array } {
    return { data: this.#locations.data(), starts: this.#locations.starts() };
  }

  /** Parent + 1 and location of each. */
  stackRows(): Uint32Array {
    return this.#stacks.rows();
  }

  /** Name, system name, filename and line of each. */
  functionRows(): Uint32Array {
    return this.#functions.rows();
  }

  /** File, build id and kind of each. */
  mappingRows(): Uint32Array {
    return this.#mappings.rows();
  }

  /** About what all of it holds in memory, in bytes. */
  get memoryBytes(): number {
    return (
      this.strings.memoryBytes +
      this.#functionOfName.byteLength +
      this.#locationOfFunction.byteLength +
      this.#mappings.memoryBytes +
      this.#functions.memoryBytes +
      this.#locations.memoryBytes +
      this.#stacks.memoryBytes +
      this.#series.memoryBytes
    );
  }

  /** Gives their memory back: they are not used again. */
  release(): void {
    const { strings } = this;
    for (const table of [
      strings,
      this.#mappings,
      this.#functions,
      this.#locations,
      this.#stacks,
      this.#series,
    ])
      table.release();
    giveBack(this.#functionOfName);
    giveBack(this.#locationOfFunction);
  }

  mappingTable(): MappingTable {
    return {
      length: this.#mappings.length,
      file: this.#mappings.column(0),
      buildId: this.#mappings.column(1),
      kind: Uint8Array.from(this.#mappings.column(2)),
    };
  }

  functionTable(): FunctionTable {
    return {
      length: this.#functions.length,
      name: this.#functions.column(0),
      systemName: this.#functions.column(1),
      filename: this.#functions.column(2),
      startLine: this.#functions.column(3),
    };
  }

  locationTable(): LocationTable {
    const { length } = this.#locations;
    const data = this.#locations.data();
    const lines = (data.length - length * LOCATION_HEAD) / LINE_WORDS;
    const mapping = new Uint32Array(length);
    const address = new BigUint64Array(length);
    const words = new Uint32Array(address.buffer);
    const lineStart = new Uint32Array(length + 1);
    const lineFunction = new Uint32Array(lines);
    const lineNumber = new Uint32Array(lines);
    const lineColumn = new Uint32Array(lines);
    let line = 0;
    for (let row = 0; row < length; row++) {
      const start = this.#locations.start(row);
      const end = this.#locations.end(row);
      mapping[row] = data[start]!;
      words[2 * row] = data[start + 1]!;
      words[2 * row + 1] = data[start + 2]!;
      for (let at = start + LOCATION_HEAD; at < end; at += LINE_WORDS) {
        lineFunction[line] = data[at]!;
        lineNumber[line] = data[at + 1]!;
        lineColumn[line++] = data[at + 2]!;
      }
      lineStart[row + 1] = line;
    }
    return { length, mapping, address, lineStart, lineFunction, lineNumber, lineColumn };
  }

  stackTable(): StackTable {
    const parent = this.#stacks.column(0);
    for (let row = 1; row < parent.length; row++) parent[row] = parent[row]! - 1;
    return { length: parent.length, parent, location: this.#stacks.column(1) };
  }
}

/** With room for `index`. */
function enlarged(array: Uint32Array<ArrayBuffer>, index: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(Math.max(index + 1, array.length * 2));
  out.set(array);
  return out;
}

export function periodWords(period: number): readonly [low: number, high: number] {
  return [period % TWO_32, Math.floor(period / TWO_32)];
}

export function periodFromWords(low: number, high: number): number {
  return high * TWO_32 + low;
}
