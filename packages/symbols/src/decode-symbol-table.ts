import { promisify } from 'node:util';
import { crc32, zstdDecompress } from 'node:zlib';
import { FleetflameError } from '@fleetflame/profile';
import { SymbolTable, type SymbolColumns } from './symbol-table.ts';
import { checkSource } from './check-source.ts';
import { NO_SOURCE, type SourceColumns } from './source-columns.ts';
import { HEADER_BYTES, MAGIC, payloadBytes, TABLE_LIMITS, VERSION, type Counts } from './table-layout.ts';

const MIN_CHUNK_BYTES = 1024;
const MAX_CHUNK_BYTES = 64 * 1024 * 1024;

const inflate = promisify(zstdDecompress);

function corrupt(what: string): FleetflameError {
  return new FleetflameError('corrupt_data', `Symbol table: ${what}. Upload the binary again.`);
}

/**
 * One zstd inflation and a check of bounds; the columns are views of the inflated bytes.
 * @throws FleetflameError corrupt_data
 */
export async function decodeSymbolTable(bytes: Uint8Array): Promise<SymbolTable> {
  return new SymbolTable(await decodeColumns(bytes, alignedBytes));
}

/** As `decodeSymbolTable`, of columns that other threads can use as they are. */
export async function decodeSharedColumns(bytes: Uint8Array): Promise<SymbolColumns> {
  return await decodeColumns(bytes, sharedBytes);
}

function alignedBytes(payload: Uint8Array): Uint8Array {
  return payload.byteOffset % 4 === 0 ? payload : new Uint8Array(payload);
}

function sharedBytes(payload: Uint8Array): Uint8Array {
  const shared = new Uint8Array(new SharedArrayBuffer(payload.length));
  shared.set(payload);
  return shared;
}

async function decodeColumns(
  bytes: Uint8Array,
  place: (payload: Uint8Array) => Uint8Array,
): Promise<SymbolColumns> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || new TextDecoder().decode(bytes.subarray(0, 8)) !== MAGIC) {
    throw corrupt(`${bytes.length} bytes that do not begin with ${MAGIC}`);
  }
  const version = view.getUint32(8, true);
  const headerBytes = HEADER_BYTES[version];
  if (headerBytes === undefined) throw corrupt(`version ${version} is not known here (${VERSION} is)`);
  if (bytes.length < headerBytes) throw corrupt(`${bytes.length} bytes are less than a header`);
  if (crc32(bytes.subarray(16)) !== view.getUint32(12, true)) throw corrupt('checksum mismatch');
  const counts: Counts = {
    ranges: view.getUint32(16, true),
    functions: view.getUint32(20, true),
    files: view.getUint32(24, true),
    stringBytes: view.getUint32(28, true),
    calls: version === 1 ? 0 : view.getUint32(40, true),
    blocks: version === 1 ? 0 : view.getUint32(44, true),
    rowBytes: version === 1 ? 0 : view.getUint32(48, true),
  };
  const base = Number(view.getBigUint64(32, true));
  for (const key of COUNTS) {
    if (counts[key] > TABLE_LIMITS[key])
      throw corrupt(`${counts[key]} ${key}, at most ${TABLE_LIMITS[key]} are read`);
  }
  const size = payloadBytes(counts, version);
  let payload: Uint8Array;
  try {
    payload = await inflate(bytes.subarray(headerBytes), {
      maxOutputLength: size + 1,
      // The default of 16 kB makes 1,900 pieces of node's table, and a copy of all of them.
      chunkSize: Math.min(Math.max(size + 1, MIN_CHUNK_BYTES), MAX_CHUNK_BYTES),
    });
  } catch (error) {
    throw new FleetflameError(
      'corrupt_data',
      'Symbol table: it cannot be inflated. Upload the binary again.',
      {
        cause: error,
      },
    );
  }
  if (payload.length !== size) throw corrupt(`${payload.length} bytes of columns instead of ${size}`);
  const columns = columnsOf(place(payload), counts, base, version);
  check(columns);
  return columns;
}

const COUNTS = [
  'ranges',
  'functions',
  'files',
  'stringBytes',
  'calls',
  'blocks',
  'rowBytes',
] as const satisfies readonly (keyof Counts)[];

function columnsOf(payload: Uint8Array, counts: Counts, base: number, version: number): SymbolColumns {
  let at = payload.byteOffset;
  const take = (length: number): Uint32Array => {
    const column = new Uint32Array(payload.buffer, at, length);
    at += length * 4;
    return column;
  };
  const columns = {
    base,
    starts: take(counts.ranges),
    lengths: take(counts.ranges),
    functions: take(counts.ranges),
    nameOffsets: take(counts.functions + 1),
    systemNameOffsets: take(counts.functions + 1),
    files: take(counts.functions),
    lines: take(counts.functions),
    fileOffsets: take(counts.files + 1),
  };
  let source: SourceColumns = NO_SOURCE;
  if (version > 1) {
    const words = {
      callFunctions: take(counts.calls),
      callParents: take(counts.calls),
      callFiles: take(counts.calls),
      callLines: take(counts.calls),
      blockStarts: take(counts.blocks),
      blockOffsets: take(counts.blocks + 1),
    };
    source = { ...words, rows: new Uint8Array(payload.buffer, at, counts.rowBytes) };
    at += counts.rowBytes;
  }
  return { ...columns, source, strings: new Uint8Array(payload.buffer, at, counts.stringBytes) };
}

function check(columns: SymbolColumns): void {
  const { starts, lengths, functions, files } = columns;
  if (!Number.isSafeInteger(columns.base + 2 ** 33)) throw corrupt('addresses beyond 2^53');
  let end = 0;
  for (let range = 0; range < starts.length; range++) {
    if (starts[range]! < end) throw corrupt(`range ${range} begins before the one in front of it ends`);
    end = starts[range]! + lengths[range]!;
    if (functions[range]! >= files.length) throw corrupt(`range ${range} names a function that is not there`);
  }
  const fileCount = columns.fileOffsets.length - 1;
  for (let index = 0; index < files.length; index++) {
    if (files[index]! > fileCount) throw corrupt(`function ${index} names a file that is not there`);
  }
  for (const key of ['nameOffsets', 'systemNameOffsets', 'fileOffsets'] as const) {
    let before = 0;
    for (const offset of columns[key]) {
      if (offset < before) throw corrupt(`${key} are not ascending`);
      before = offset;
    }
    if (before > columns.strings.length) throw corrupt(`${key} end outside the strings`);
  }
  const problem = checkSource(columns.source, files.length, fileCount);
  if (problem !== undefined) throw corrupt(problem);
}
