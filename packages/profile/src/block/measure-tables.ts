/**
 * What each column of a block costs: stored bytes and what they inflate to, from the messages of the
 * tables and the first eight bytes of each buffer; nothing is inflated.
 */
import type { Footer } from '@fleetflame/proto/block/v1/footer';
import { PREFIX_BYTES } from './arrow/buffer-prefix.ts';
import {
  COLUMNS,
  fieldPath,
  itemPath,
  type Column,
  type ColumnType,
  type TableName,
  TABLE_NAMES,
} from './arrow/columns.ts';
import { decodeBatchMessage, decodeDictionaryMessage } from './arrow/metadata.ts';
import { bufferSource, messageBytes, openTable } from './arrow/read-table.ts';
import { tablePlace } from './decode-block.ts';
import type { RangeSource } from './range-source.ts';
import { readStoredTable } from './read-stored-table.ts';

export interface ColumnSize {
  /** As in docs/format.md: `labels[].name`; "dictionary" for the strings of all text columns. */
  readonly column: string;
  readonly storedBytes: number;
  readonly inflatedBytes: number;
}

export interface TableSize {
  readonly table: TableName;
  readonly rows: number;
  /** The whole table: columns, messages, Arrow's footer and padding. */
  readonly storedBytes: number;
  readonly columns: readonly ColumnSize[];
}

/** Throws corrupt_data when a table is not what its checksum says. */
export async function measureTables(source: RangeSource, footer: Footer): Promise<TableSize[]> {
  const sizes: TableSize[] = [];
  for (const table of TABLE_NAMES) {
    const { rows, size } = tablePlace(footer, table);
    const bytes = await readStoredTable(source, footer, table);
    sizes.push({ table, rows, storedBytes: size, columns: measureColumns(table, bytes) });
  }
  return sizes;
}

function measureColumns(table: TableName, bytes: Uint8Array): ColumnSize[] {
  const { columns, batches, dictionaries } = openTable(table, bytes, COLUMNS[table]);
  const sizes = new Map<string, { stored: number; inflated: number }>();
  const add = (paths: readonly string[], read: (buffer: number) => Uint8Array): void => {
    for (const [i, path] of paths.entries()) {
      const size = sizes.get(path) ?? { stored: 0, inflated: 0 };
      sizes.set(path, size);
      const stored = read(i);
      size.stored += stored.length;
      size.inflated += inflatedBytes(stored);
    }
  };
  const paths = columns.flatMap(({ name, type }) => bufferPaths(type, name));
  for (const place of batches) {
    const message = decodeBatchMessage(table, messageBytes(bytes, place), place);
    add(paths, bufferSource(bytes, place, message));
  }
  for (const place of dictionaries) {
    const message = decodeDictionaryMessage(table, messageBytes(bytes, place), place);
    add(DICTIONARY_PATHS, bufferSource(bytes, place, message));
  }
  return [...sizes].map(([column, { stored, inflated }]) => ({
    column,
    storedBytes: stored,
    inflatedBytes: inflated,
  }));
}

/** Validity, offsets, text. */
const DICTIONARY_PATHS = ['dictionary', 'dictionary', 'dictionary'];

/** The column that each buffer of a batch belongs to, in their order. */
function bufferPaths(type: ColumnType, path: string): string[] {
  switch (type.kind) {
    case 'struct':
      return [
        path,
        ...type.fields.flatMap((field: Column) => bufferPaths(field.type, fieldPath(path, field.name))),
      ];
    case 'list':
      return [path, path, ...bufferPaths(type.item, itemPath(path))];
    default:
      return [path, path];
  }
}

/** -1 stands before bytes that are stored as they are. */
function inflatedBytes(stored: Uint8Array): number {
  if (stored.length < PREFIX_BYTES) return 0;
  const declared = new DataView(stored.buffer, stored.byteOffset, PREFIX_BYTES).getBigInt64(0, true);
  return declared === -1n ? stored.length - PREFIX_BYTES : Number(declared);
}
