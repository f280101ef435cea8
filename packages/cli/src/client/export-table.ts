/**
 * Tables of blocks as files that other programs read. Arrow: without compression, which all
 * implementations of Arrow take. Parquet: zstd, for DuckDB, pandas and the like.
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { compressionRegistry, CompressionType, tableFromIPC, tableToIPC } from 'apache-arrow';

compressionRegistry.set(CompressionType.ZSTD, {
  encode: (bytes) => zstdCompressSync(bytes),
  decode: (bytes) => zstdDecompressSync(bytes),
});

/** `stored`: a table of a block as it lies there, an Arrow file with zstd buffers. */
export async function exportTable(stored: Uint8Array, format: 'arrow' | 'parquet'): Promise<Uint8Array> {
  const table = tableFromIPC(stored);
  if (format === 'arrow') return tableToIPC(table, 'file');
  const { Compression, Table, writeParquet, WriterPropertiesBuilder } = await import('parquet-wasm/node');
  const properties = new WriterPropertiesBuilder().setCompression(Compression.ZSTD).build();
  return writeParquet(Table.fromIPCStream(tableToIPC(table, 'stream')), properties);
}
