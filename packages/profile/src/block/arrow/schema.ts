/** Arrow schemas of the tables' columns, each made once. */
import {
  Dictionary,
  Field,
  Int32,
  Int64,
  List,
  Schema,
  Struct,
  Uint32,
  Uint64,
  Uint8,
  Utf8,
  type DataType,
} from 'apache-arrow';

import type { Column, ColumnType } from './columns.ts';

/** All text columns of a table share one dictionary. */
export const DICTIONARY_ID = 0;
const TEXT_TYPE = new Dictionary(new Utf8(), new Int32(), DICTIONARY_ID, false);

const schemas = new WeakMap<readonly Column[], Schema>();

/** `columns`: one of the lists of columns.ts, by identity. */
export function schemaOf(columns: readonly Column[]): Schema {
  let schema = schemas.get(columns);
  if (schema === undefined) {
    schema = new Schema(columns.map(toField));
    schemas.set(columns, schema);
  }
  return schema;
}

function toField({ name, type }: Column): Field {
  return new Field(name, toType(type), false);
}

function toType(type: ColumnType): DataType {
  switch (type.kind) {
    case 'list':
      return new List(new Field('item', toType(type.item), false));
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
