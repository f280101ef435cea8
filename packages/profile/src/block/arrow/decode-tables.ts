/** Each table of a block from its Arrow IPC file. encode-tables.ts mirrors it. */
import type { FunctionTable, LocationTable, MappingTable, SeriesTable, StackTable } from '../block.ts';
import {
  FUNCTIONS_COLUMNS,
  LOCATIONS_COLUMNS,
  MAPPINGS_COLUMNS,
  SERIES_COLUMNS,
  STACKS_COLUMNS,
  arrayOf,
  type Column,
  type ColumnArray,
} from './columns.ts';
import { corrupt } from './corrupt.ts';
import { float64FromInt64 } from './int64.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { readTable, type TableRead } from './read-table.ts';
import type { StringBytes, StringTable } from '../string-table.ts';
import type { ProfileColumns } from '../tables/profile-list.ts';
import { StringInterner } from '../tables/string-interner.ts';

const NO_STRINGS: StringBytes = { bytes: new Uint8Array(0), starts: new Uint32Array(1) };

/** A table's file and the number of rows that the footer says it has. */
export interface TableFile {
  readonly bytes: Uint8Array;
  readonly rows: number;
}

export class TableDecoder {
  readonly #strings = new StringInterner();
  readonly #budget: MemoryBudget;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** All strings of the tables decoded so far, each once. */
  strings(): StringTable {
    return this.#strings.table();
  }

  series(file: TableFile): SeriesTable {
    const columns = this.#read('series', file, SERIES_COLUMNS.instants, SERIES_COLUMNS.profiles);
    const profiles = columns.has('profiles')
      ? {
          kind: columns.u8('kind'),
          profileStart: columns.offsets('profiles'),
          profileTime: columns.u32('profiles[].time'),
          profileDuration: columns.u32('profiles[].duration'),
          profileCount: columns.u32('profiles[].count'),
        }
      : noProfiles(file.rows);
    return {
      ...profiles,
      length: file.rows,
      profileType: columns.text('profile_type'),
      period: columns.float64('period'),
      labelStart: columns.offsets('labels'),
      labelName: columns.text('labels[].name'),
      labelValue: columns.text('labels[].value'),
    };
  }

  stacks(file: TableFile): StackTable {
    const columns = this.#read('stacks', file, STACKS_COLUMNS);
    const parent = columns.u32('parent_distance');
    for (let row = 0; row < parent.length; row++) parent[row] = row - parent[row]!;
    return { length: file.rows, parent, location: columns.u32('location') };
  }

  locations(file: TableFile): LocationTable {
    const columns = this.#read('locations', file, ...Object.values(LOCATIONS_COLUMNS));
    const lineNumber = columns.u32('lines[].line');
    return {
      length: file.rows,
      mapping: columns.u32('mapping'),
      address: addDeltas(columns.u64('address_delta')),
      lineStart: columns.offsets('lines'),
      lineFunction: columns.u32('lines[].function'),
      lineNumber,
      lineColumn: columns.has('lines[].column')
        ? columns.u32('lines[].column')
        : new Uint32Array(lineNumber.length),
    };
  }

  functions(file: TableFile): FunctionTable {
    const columns = this.#read('functions', file, FUNCTIONS_COLUMNS);
    return {
      length: file.rows,
      name: columns.text('name'),
      systemName: columns.text('system_name'),
      filename: columns.text('filename'),
      startLine: columns.u32('start_line'),
    };
  }

  mappings(file: TableFile): MappingTable {
    const columns = this.#read('mappings', file, MAPPINGS_COLUMNS);
    return {
      length: file.rows,
      file: columns.text('file'),
      buildId: columns.text('build_id'),
      kind: columns.u8('kind'),
    };
  }

  /** `allowed`: the column lists that the table may have. */
  #read(
    table: string,
    { bytes, rows }: TableFile,
    ...allowed: readonly (readonly Column[])[]
  ): DecodedColumns {
    const read = readTable(table, bytes, allowed, rows, this.#budget);
    // From a dictionary's entry to the block's string.
    const { bytes: names, starts } = read?.dictionary ?? NO_STRINGS;
    const strings = new Uint32Array(starts.length - 1);
    for (let i = 0; i < strings.length; i++) {
      strings[i] = this.#strings.intern(names, starts[i]!, starts[i + 1]!);
    }
    return new DecodedColumns(table, read, strings, this.#budget);
  }
}

/** Typed access to what `readTable` found; all empty for a table without rows. */
class DecodedColumns {
  readonly #table: string;
  readonly #read: TableRead | undefined;
  readonly #strings: Uint32Array;
  readonly #budget: MemoryBudget;

  constructor(table: string, read: TableRead | undefined, strings: Uint32Array, budget: MemoryBudget) {
    this.#table = table;
    this.#read = read;
    this.#strings = strings;
    this.#budget = budget;
  }

  /** Whether the table has the column: some have it in one of their forms only. */
  has(path: string): boolean {
    return this.#read?.arrays[path] !== undefined;
  }

  u8(path: string): Uint8Array {
    return this.#get(path, Uint8Array, () => new Uint8Array(0));
  }

  u32(path: string): Uint32Array {
    return this.#get(path, Uint32Array, () => new Uint32Array(0));
  }

  u64(path: string): BigUint64Array {
    return this.#get(path, BigUint64Array, () => new BigUint64Array(0));
  }

  offsets(path: string): Uint32Array {
    const offsets = this.#get(path, Int32Array, () => new Int32Array(1));
    return new Uint32Array(offsets.buffer, offsets.byteOffset, offsets.length);
  }

  float64(path: string): Float64Array {
    const values = this.#get(path, BigInt64Array, () => new BigInt64Array(0));
    this.#budget.take(8 * values.length, `${this.#table}.${path}`);
    return float64FromInt64(values);
  }

  /** Dictionary indices as indices into the block's strings, in place. */
  text(path: string): Uint32Array {
    const indices = this.#get(path, Int32Array, () => new Int32Array(0));
    const out = new Uint32Array(indices.buffer, indices.byteOffset, indices.length);
    for (let row = 0; row < out.length; row++) {
      const index = out[row]!;
      if (index >= this.#strings.length) {
        throw corrupt(
          `${this.#table}.${path}[${row}]`,
          `there is no string ${indices[row]} in the dictionary`,
        );
      }
      out[row] = this.#strings[index]!;
    }
    return out;
  }

  #get<T extends ColumnArray>(path: string, kind: new (length: number) => T, empty: () => T): T {
    return this.#read === undefined ? empty() : arrayOf(this.#read.arrays, path, kind);
  }
}

/** Of series of instants. */
function noProfiles(rows: number): ProfileColumns & Pick<SeriesTable, 'kind'> {
  const none = new Uint32Array(0);
  return {
    kind: new Uint8Array(rows),
    profileStart: new Uint32Array(rows + 1),
    profileTime: none,
    profileDuration: none,
    profileCount: none,
  };
}

/** Sums of differences modulo 2^64, in place. */
function addDeltas(deltas: BigUint64Array): BigUint64Array {
  const words = new Uint32Array(deltas.buffer, deltas.byteOffset, 2 * deltas.length);
  for (let at = 2; at < words.length; at += 2) {
    const low = words[at - 2]! + words[at]!;
    words[at + 1] = words[at - 1]! + words[at + 1]! + (low > 0xffff_ffff ? 1 : 0);
    words[at] = low;
  }
  return deltas;
}
