import { constants, crc32, zstdCompressSync } from 'node:zlib';
import type { SymbolColumns } from './symbol-table.ts';
import { HEADER_BYTES, MAGIC, payloadBytes, VERSION, type Counts } from './table-layout.ts';

/** Level 9: tables are written once and read often. */
const ZSTD_LEVEL = 9;

export function encodeSymbolTable(columns: SymbolColumns): Uint8Array {
  const { source } = columns;
  const counts: Counts = {
    ranges: columns.starts.length,
    functions: columns.files.length,
    files: columns.fileOffsets.length - 1,
    stringBytes: columns.strings.length,
    calls: source.callFunctions.length,
    blocks: source.blockStarts.length,
    rowBytes: source.rows.length,
  };
  const payload = new Uint8Array(payloadBytes(counts, VERSION));
  let at = 0;
  for (const column of [
    columns.starts,
    columns.lengths,
    columns.functions,
    columns.nameOffsets,
    columns.systemNameOffsets,
    columns.files,
    columns.lines,
    columns.fileOffsets,
    source.callFunctions,
    source.callParents,
    source.callFiles,
    source.callLines,
    source.blockStarts,
    source.blockOffsets,
    source.rows,
  ]) {
    payload.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += column.byteLength;
  }
  payload.set(columns.strings, at);
  const body = zstdCompressSync(payload, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
  const headerBytes = HEADER_BYTES[VERSION] ?? 0;
  const out = new Uint8Array(headerBytes + body.length);
  const view = new DataView(out.buffer);
  out.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(16, counts.ranges, true);
  view.setUint32(20, counts.functions, true);
  view.setUint32(24, counts.files, true);
  view.setUint32(28, counts.stringBytes, true);
  view.setBigUint64(32, BigInt(columns.base), true);
  view.setUint32(40, counts.calls, true);
  view.setUint32(44, counts.blocks, true);
  view.setUint32(48, counts.rowBytes, true);
  out.set(body, headerBytes);
  view.setUint32(12, crc32(out.subarray(16)), true);
  return out;
}
