/** Writes one table as a complete Arrow IPC file, from typed arrays: no Arrow builders, no copies. */
import {
  Dictionary,
  Field,
  Int32,
  Int64,
  List,
  RecordBatch,
  Schema,
  Struct,
  Uint32,
  Uint64,
  Uint8,
  Utf8,
  makeData,
  type Data,
  type DataType,
  Vector,
} from 'apache-arrow';

import { arrayOf, fieldPath, itemPath, type Column, type ColumnArrays, type ColumnType } from './columns.ts';
import { ZstdFileWriter } from './zstd-file-writer.ts';

/** All text columns of a table share one dictionary. */
const DICTIONARY_ID = 0;
const TEXT_TYPE = new Dictionary(new Utf8(), new Int32(), DICTIONARY_ID, false);
export interface BatchToWrite {
  readonly rows: number;
  readonly arrays: ColumnArrays;
  readonly metadata?: ReadonlyMap<string, string>;
}

/** `dictionary`: the strings that text columns index. */
export function writeTable(
  columns: readonly Column[],
  batches: readonly BatchToWrite[],
  dictionary: readonly string[] = [],
): Uint8Array {
  const schema = new Schema(columns.map(toField));
  const strings = new Vector([utf8Data(dictionary)]);
  const writer = new ZstdFileWriter();
  writer.reset(undefined, schema);
  for (const { rows, arrays, metadata } of batches) {
    const children = columns.map(({ name, type }) => toData(type, name, rows, arrays, strings));
    const data = makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children });
    writer.write(new RecordBatch(schema, data, new Map(metadata)));
  }
  writer.finish();
  return writer.toUint8Array(true);
}

function toField({ name, type }: Column): Field {
  return new Field(name, toType(type), false);
}

function toType(type: ColumnType): DataType {
  switch (type.kind) {
    case 'list':
      return listType(type.item);
    case 'struct':
      return new Struct(type.fields.map(toField));
    case 'text':
      return TEXT_TYPE;
    case 'u8':
      return new Uint8();
    case 'u32':
      return new Uint32();
    case 'u64':
      return new Uint64();
    default:
      return new Int64();
  }
}

function listType(item: ColumnType): List {
  return new List(new Field('item', toType(item), false));
}

/** toType's twin: the data of a column of `length` rows. */
function toData(
  type: ColumnType,
  path: string,
  length: number,
  arrays: ColumnArrays,
  dictionary: Vector<Utf8>,
): Data {
  const common = { length, nullCount: 0 };
  switch (type.kind) {
    case 'list': {
      const valueOffsets = arrayOf(arrays, path, Int32Array);
      const child = toData(type.item, itemPath(path), valueOffsets[length] ?? 0, arrays, dictionary);
      return makeData({ ...common, type: listType(type.item), valueOffsets, child });
    }
    case 'struct': {
      const children = type.fields.map((field) =>
        toData(field.type, fieldPath(path, field.name), length, arrays, dictionary),
      );
      return makeData({ ...common, type: new Struct(type.fields.map(toField)), children });
    }
    case 'text':
      return makeData({ ...common, type: TEXT_TYPE, data: arrayOf(arrays, path, Int32Array), dictionary });
    case 'u8':
      return makeData({ ...common, type: new Uint8(), data: arrayOf(arrays, path, Uint8Array) });
    case 'u32':
      return makeData({ ...common, type: new Uint32(), data: arrayOf(arrays, path, Uint32Array) });
    case 'u64':
      return makeData({ ...common, type: new Uint64(), data: arrayOf(arrays, path, BigUint64Array) });
    default:
      return makeData({ ...common, type: new Int64(), data: arrayOf(arrays, path, BigInt64Array) });
  }
}

function utf8Data(strings: readonly string[]): Data<Utf8> {
  const valueOffsets = new Int32Array(strings.length + 1);
  const encoder = new TextEncoder();
  // UTF-8 takes at most three bytes for a UTF-16 unit.
  const data = new Uint8Array(3 * strings.reduce((sum, text) => sum + text.length, 0));
  let end = 0;
  for (const [i, text] of strings.entries()) {
    end += encoder.encodeInto(text, data.subarray(end)).written;
    valueOffsets[i + 1] = end;
  }
  return makeData({
    type: new Utf8(),
    length: strings.length,
    nullCount: 0,
    valueOffsets,
    data: data.subarray(0, end),
  });
}
