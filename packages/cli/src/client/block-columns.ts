/** The tables of a block as Arrow columns, without copies of what is a typed array already. */
import type { Block } from '@fleetflame/profile';
import {
  Dictionary,
  Field,
  Int32,
  Int64,
  List,
  makeData,
  Struct,
  Uint32,
  Uint64,
  Uint8,
  Utf8,
  vectorFromArray,
  type Data,
  type Vector,
} from 'apache-arrow';

/** In the order of docs/format.md. */
export const EXPORTED_TABLES = ['series', 'samples', 'stacks', 'locations', 'functions', 'mappings'] as const;
export type ExportedTable = (typeof EXPORTED_TABLES)[number];

export type BlockColumns = readonly (readonly [name: string, data: Data])[];

export function blockColumns(block: Block, table: ExportedTable): BlockColumns {
  return COLUMNS[table](block, new Columns(block));
}

const COLUMNS: Readonly<Record<ExportedTable, (block: Block, columns: Columns) => BlockColumns>> = {
  series: ({ series }, columns) => [
    ['profile_type', columns.text(series.profileType)],
    ['period', columns.i64(series.period)],
    [
      'labels',
      columns.list(series.labelStart, [
        ['name', columns.text(series.labelName)],
        ['value', columns.text(series.labelValue)],
      ]),
    ],
  ],
  samples: ({ samples }, columns) => [
    ['series', columns.u32(samples.series)],
    ['stack', columns.u32(samples.stack)],
    ['total', columns.i64(samples.total)],
    [
      'points',
      columns.list(samples.pointStart, [
        ['time', columns.u32(samples.time)],
        ['value', columns.i64(samples.value)],
      ]),
    ],
  ],
  stacks: ({ stacks }, columns) => [
    ['parent', columns.u32(stacks.parent)],
    ['location', columns.u32(stacks.location)],
  ],
  locations: ({ locations }, columns) => [
    ['mapping', columns.u32(locations.mapping)],
    ['address', columns.u64(locations.address)],
    [
      'lines',
      columns.list(locations.lineStart, [
        ['function', columns.u32(locations.lineFunction)],
        ['line', columns.u32(locations.lineNumber)],
        ['column', columns.u32(locations.lineColumn)],
      ]),
    ],
  ],
  functions: ({ functions }, columns) => [
    ['name', columns.text(functions.name)],
    ['system_name', columns.text(functions.systemName)],
    ['filename', columns.text(functions.filename)],
    ['start_line', columns.u32(functions.startLine)],
  ],
  mappings: ({ mappings }, columns) => [
    ['file', columns.text(mappings.file)],
    ['build_id', columns.text(mappings.buildId)],
    ['kind', columns.u8(mappings.kind)],
  ],
};

/** One type, so that all text columns share one dictionary. */
const TEXT = new Dictionary(new Utf8(), new Int32(), 0, false);

class Columns {
  readonly #strings: () => Vector<Utf8>;

  constructor({ strings }: Block) {
    let dictionary: Vector<Utf8> | undefined;
    this.#strings = () => (dictionary ??= vectorFromArray([...strings], new Utf8()));
  }

  u8(data: Uint8Array): Data {
    return makeData({ type: new Uint8(), length: data.length, nullCount: 0, data });
  }

  u32(data: Uint32Array): Data {
    return makeData({ type: new Uint32(), length: data.length, nullCount: 0, data });
  }

  u64(data: BigUint64Array): Data {
    return makeData({ type: new Uint64(), length: data.length, nullCount: 0, data });
  }

  /** Integers that a float64 holds. */
  i64(values: Float64Array): Data {
    const data = BigInt64Array.from(values, BigInt);
    return makeData({ type: new Int64(), length: data.length, nullCount: 0, data });
  }

  /** All text of a block shares its strings. */
  text(indices: Uint32Array): Data {
    return makeData({
      type: TEXT,
      length: indices.length,
      nullCount: 0,
      data: new Int32Array(indices.buffer, indices.byteOffset, indices.length),
      dictionary: this.#strings(),
    });
  }

  /** Row i has the items starts[i] to starts[i + 1]. */
  list(starts: Uint32Array, fields: BlockColumns): Data {
    const children = fields.map(([, data]) => data);
    const item = new Struct(fields.map(([name, { type }]) => new Field(name, type, false)));
    const child = makeData({ type: item, length: children[0]?.length ?? 0, nullCount: 0, children });
    return makeData({
      type: new List(new Field('item', item, false)),
      length: starts.length - 1,
      nullCount: 0,
      valueOffsets: new Int32Array(starts.buffer, starts.byteOffset, starts.length),
      child,
    });
  }
}
