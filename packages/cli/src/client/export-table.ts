/**
 * Tables of blocks as files that other programs read, as docs/format.md describes them but without its
 * differences: samples have their stacks and points. Arrow: without compression, which all
 * implementations of Arrow take. Parquet: zstd, for DuckDB, pandas and the like.
 */
import type { Block } from '@fleetflame/profile';
import { Field, makeData, RecordBatch, Schema, Struct, Table, tableToIPC } from 'apache-arrow';
import { blockColumns, type ExportedTable } from './block-columns.ts';

export async function exportTable(
  block: Block,
  name: ExportedTable,
  format: 'arrow' | 'parquet',
): Promise<Uint8Array> {
  const columns = blockColumns(block, name);
  const schema = new Schema(columns.map(([column, { type }]) => new Field(column, type, false)));
  const children = columns.map(([, data]) => data);
  const rows = makeData({
    type: new Struct(schema.fields),
    length: children[0]?.length ?? 0,
    nullCount: 0,
    children,
  });
  const table = new Table(schema, new RecordBatch(schema, rows));
  if (format === 'arrow') return tableToIPC(table, 'file');
  const {
    Compression,
    Table: Rows,
    writeParquet,
    WriterPropertiesBuilder,
  } = await import('parquet-wasm/node');
  const properties = new WriterPropertiesBuilder().setCompression(Compression.ZSTD).build();
  return writeParquet(Rows.fromIPCStream(tableToIPC(table, 'stream')), properties);
}
