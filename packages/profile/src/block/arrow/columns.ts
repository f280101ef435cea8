/**
 * The columns of the six tables, once: the writer makes Arrow types of them, the reader checks
 * files against them, and docs/format.md shows them. Buffers are addressed by path:
 *
 *   labels              list<struct<name: text, value: text>>
 *   ├─ labels           the list's offsets
 *   ├─ labels[].name    indices into the table's dictionary
 *   └─ labels[].value
 */
export type ColumnType =
  | { readonly kind: 'u8' | 'u32' | 'u64' | 'i64' | 'text' }
  | { readonly kind: 'list'; readonly item: ColumnType }
  | { readonly kind: 'struct'; readonly fields: readonly Column[] };

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

/** Integers by path. `text` columns hold int32 indices into the table's dictionary; lists, int32 offsets. */
export type ColumnArrays = Readonly<Record<string, ColumnArray>>;
export type ColumnArray = Uint8Array | Int32Array | Uint32Array | BigUint64Array | BigInt64Array;

/** The array of a column, which must be there and of the kind. */
export function arrayOf<T extends ColumnArray>(
  arrays: ColumnArrays,
  path: string,
  kind: new (length: number) => T,
): T {
  const array = arrays[path];
  if (!(array instanceof kind)) throw new Error(`column ${path} is not a ${kind.name}`);
  return array;
}

export type IntegerKind = 'u8' | 'u32' | 'u64' | 'i64';
export const INTEGER_BYTES: Readonly<Record<IntegerKind | 'text', number>> = {
  u8: 1,
  u32: 4,
  u64: 8,
  i64: 8,
  text: 4,
};

const U8: ColumnType = { kind: 'u8' };
const U32: ColumnType = { kind: 'u32' };
const U64: ColumnType = { kind: 'u64' };
const I64: ColumnType = { kind: 'i64' };
const TEXT: ColumnType = { kind: 'text' };
const list = (item: ColumnType): ColumnType => ({ kind: 'list', item });
const struct = (...fields: Column[]): ColumnType => ({ kind: 'struct', fields });
const column = (name: string, type: ColumnType): Column => ({ name, type });

/** Order of the tables in an object: samples last, next to the footer, so that one tail read finds both. */
export const TABLE_NAMES = [
  'series',
  'stacks',
  'locations',
  'functions',
  'mappings',
  'points',
  'samples',
] as const;
export type TableName = (typeof TABLE_NAMES)[number];

/** Of series of instants: all that an agent's have. */
const INSTANT_SERIES_COLUMNS = [
  column('profile_type', TEXT),
  column('period', I64),
  column('labels', list(struct(column('name', TEXT), column('value', TEXT)))),
];
const PROFILE_COLUMNS = [column('time', U32), column('duration', U32), column('count', U32)];
/** `instants`: all are rates and none has profiles; the other columns would say nothing. */
export const SERIES_COLUMNS = {
  instants: INSTANT_SERIES_COLUMNS,
  profiles: [
    ...INSTANT_SERIES_COLUMNS,
    column('kind', U8),
    column('profiles', list(struct(...PROFILE_COLUMNS))),
  ],
} as const;
export const STACKS_COLUMNS = [column('parent_distance', U32), column('location', U32)];
const locationsColumns = (...more: readonly Column[]): readonly Column[] => [
  column('mapping', U32),
  column('address_delta', U64),
  column('lines', list(struct(column('function', U32), column('line', U32), ...more))),
];
/** With columns of lines where any is known: blocks of agents have none, and are as they were in version 2. */
export const LOCATIONS_COLUMNS = {
  lines: locationsColumns(),
  columns: locationsColumns(column('column', U32)),
} as const;
export const FUNCTIONS_COLUMNS = [
  column('name', TEXT),
  column('system_name', TEXT),
  column('filename', TEXT),
  column('start_line', U32),
];
export const MAPPINGS_COLUMNS = [column('file', TEXT), column('build_id', TEXT), column('kind', U8)];

/** `points`: how many rows of the table of points are the row's. */
export const SAMPLES_COLUMNS = [
  column('series', U32),
  column('stack_delta', U32),
  column('total', I64),
  column('points', U32),
];
const pointsColumns = (values: 'u32' | 'i64'): readonly Column[] => [
  column('time_delta', U32),
  column('value', { kind: values }),
];
export const POINTS_COLUMNS = { u32: pointsColumns('u32'), i64: pointsColumns('i64') } as const;

/** Path of what is inside: labels → labels[] → labels[].name. */
export function itemPath(path: string): string {
  return `${path}[]`;
}
export function fieldPath(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** The column lists that each table may have. */
export const COLUMNS: Readonly<Record<TableName, readonly (readonly Column[])[]>> = {
  series: Object.values(SERIES_COLUMNS),
  stacks: [STACKS_COLUMNS],
  locations: Object.values(LOCATIONS_COLUMNS),
  functions: [FUNCTIONS_COLUMNS],
  mappings: [MAPPINGS_COLUMNS],
  points: Object.values(POINTS_COLUMNS),
  samples: [SAMPLES_COLUMNS],
};
