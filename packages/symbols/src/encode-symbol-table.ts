import { constants, crc32, zstdCompressSync } from 'node:zlib';
import type { SymbolColumns } from './symbol-table.ts';
import { HEADER_BYTES, MAGIC, payloadBytes, VERSION, type Counts } from './table-layout.ts';

/** Level 9: tables are written once and read often. */
const ZSTD_LEVEL = 9;

export function encodeSymbolTable(columns: SymbolColumns): Uint8Array {
  const counts: Counts = {
    ranges: columns.starts.length,
    functions: columns.files.length,
    files: columns.fileOffsets.length - 1,
    stringBytes: columns.strings.length,
  };
  const payload = new Uint8Array(payloadBytes(counts));
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
  ]) {
    payload.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += column.byteLength;
  }
  payload.set(columns.strings, at);
  const body = zstdCompressSync(payload, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
  const out = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(out.buffer);
  out.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(16, counts.ranges, true);
  view.setUint32(20, counts.functions, true);
  view.setUint32(24, counts.files, true);
  view.setUint32(28, counts.stringBytes, true);
  view.setBigUint64(32, BigInt(columns.base), true);
  out.set(body, HEADER_BYTES);
  view.setUint32(12, crc32(out.subarray(16)), true);
  return out;
}
