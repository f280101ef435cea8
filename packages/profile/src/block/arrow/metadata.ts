/**
 * Arrow IPC metadata of a file that has to have known columns: its footer (File.fbs) and the
 * messages of its batches (Message.fbs). Numbers in capitals are those of the Arrow format, 1.5.
 */
import type { Column, ColumnType } from './columns.ts';
import { fieldPath, itemPath } from './columns.ts';
import { BLOCK_LIMITS } from '../limits.ts';
import { corrupt } from './corrupt.ts';
import { FlatTable, readSize } from './flatbuffer.ts';

const METADATA_V5 = 4;
const TYPE = { int: 2, utf8: 5, list: 12, struct: 13 } as const;
const HEADER_DICTIONARY_BATCH = 2;
const HEADER_RECORD_BATCH = 3;
const CODEC_ZSTD = 1;
const LITTLE_ENDIAN = 0;
const INTEGERS = { u8: [8, false], u32: [32, false], u64: [64, false], i64: [64, true] } as const;

/** Columns of a table or fields of a struct: the format has at most 5. */
const FIELDS_MAX = 16;
/** Arrays in a record batch, all levels: the format has at most 7. Each has up to 3 buffers. */
const ARRAYS_MAX = 64;
/** The format has 6. */
const METADATA_ENTRIES_MAX = 16;

/** "ARROW1" and two bytes of padding; at the end i32 footer length and "ARROW1" again. */
export const ARROW_MAGIC = Uint8Array.from('ARROW1', (char) => char.charCodeAt(0));
export const ARROW_HEAD_BYTES = 8;
export const ARROW_TAIL_BYTES = 4 + 6;

/** Where a batch lies in its file: a message of `metadataBytes`, then its buffers. */
export interface BatchPlace {
  readonly offset: number;
  readonly metadataBytes: number;
  readonly bodyBytes: number;
}

export interface ArrowFooter {
  readonly dictionaries: readonly BatchPlace[];
  readonly batches: readonly BatchPlace[];
  /** Of the allowed column lists, the one that the file has. */
  readonly columns: readonly Column[];
}

export interface BatchMessage {
  readonly rows: number;
  /** Rows of each array, depth first. */
  readonly nodes: readonly number[];
  /** Relative to the end of the message. */
  readonly buffers: readonly { readonly offset: number; readonly length: number }[];
  readonly metadata: ReadonlyMap<string, string>;
}

export function startsWithArrowMagic(bytes: Uint8Array): boolean {
  return ARROW_MAGIC.every((byte, i) => bytes[i] === byte);
}

/** Length of the footer before the last ARROW_TAIL_BYTES of a file, which are given. */
export function arrowFooterBytes(table: string, tail: Uint8Array, fileBytes: number): number {
  if (tail.length !== ARROW_TAIL_BYTES || !startsWithArrowMagic(tail.subarray(4))) {
    throw corrupt(table, 'it does not end like an Arrow file');
  }
  const length = new DataView(tail.buffer, tail.byteOffset).getInt32(0, true);
  if (length <= 0 || length > fileBytes - ARROW_TAIL_BYTES - ARROW_HEAD_BYTES) {
    throw corrupt(table, `its Arrow footer of ${length} bytes does not fit in it`);
  }
  return length;
}

/** `fileBytes`: bytes of the file before the footer, in which all batches must lie. */
export function decodeArrowFooter(
  table: string,
  bytes: Uint8Array,
  fileBytes: number,
  allowed: readonly (readonly Column[])[],
): ArrowFooter {
  return guarded(table, () => {
    const footer = FlatTable.root(bytes);
    if (footer.i16(0) !== METADATA_V5) throw corrupt(table, 'its Arrow metadata is not of version 5');
    const schema = footer.table(1);
    if (schema === undefined) throw corrupt(table, 'its Arrow footer has no schema');
    if (schema.i16(0) !== LITTLE_ENDIAN) throw corrupt(table, 'it is not little-endian');
    const fields = schema.tables(1, FIELDS_MAX);
    return {
      columns: matchColumns(table, fields, allowed),
      dictionaries: places(table, footer, 2, fileBytes),
      batches: places(table, footer, 3, fileBytes),
    };
  });
}

/** Batches must lie one after another: readers may then join reads without looking. */
function places(table: string, footer: FlatTable, field: number, fileBytes: number): BatchPlace[] {
  let end = ARROW_HEAD_BYTES;
  return footer.structs(field, 24, BLOCK_LIMITS.datasets, (view, at) => {
    const place = {
      offset: readSize(view, at),
      metadataBytes: view.getInt32(at + 8, true),
      bodyBytes: readSize(view, at + 16),
    };
    if (
      place.offset < end ||
      place.metadataBytes < 8 ||
      place.offset + place.metadataBytes + place.bodyBytes > fileBytes
    ) {
      throw corrupt(table, 'a batch does not lie inside the file, after the one before it');
    }
    end = place.offset + place.metadataBytes + place.bodyBytes;
    return place;
  });
}

function matchColumns(
  table: string,
  fields: readonly FlatTable[],
  allowed: readonly (readonly Column[])[],
): readonly Column[] {
  let mismatch: string | undefined;
  for (const columns of allowed) {
    mismatch = findMismatch(fields, columns, '');
    if (mismatch === undefined) return columns;
  }
  throw corrupt(`${table}.${mismatch ?? ''}`, 'its columns are not those of the format');
}

/** Path of the first field that is not as expected. */
function findMismatch(
  fields: readonly FlatTable[],
  columns: readonly Column[],
  path: string,
): string | undefined {
  if (fields.length !== columns.length) return path;
  for (const [i, column] of columns.entries()) {
    const field = fields[i];
    const here = fieldPath(path, column.name);
    if (field === undefined || field.string(0) !== column.name) return here;
    const mismatch = findTypeMismatch(field, column.type, here);
    if (mismatch !== undefined) return mismatch;
  }
  return undefined;
}

function findTypeMismatch(field: FlatTable, type: ColumnType, path: string): string | undefined {
  const arrowType = field.u8(2);
  const details = field.table(3);
  const children = field.tables(5, FIELDS_MAX);
  const dictionary = field.table(4);
  if (field.bool(1) || (dictionary !== undefined) !== (type.kind === 'text')) return path;
  switch (type.kind) {
    case 'list': {
      const [item] = children;
      if (arrowType !== TYPE.list || item === undefined || children.length !== 1) return path;
      return findTypeMismatch(item, type.item, itemPath(path));
    }
    case 'struct':
      return arrowType === TYPE.struct ? findMismatch(children, type.fields, path) : path;
    case 'text': {
      const index = dictionary?.table(1);
      const signed32 = index === undefined || (index.i32(0) === 32 && index.bool(1));
      return arrowType === TYPE.utf8 && signed32 && dictionary?.size(0) === 0 ? undefined : path;
    }
    default: {
      const [bits, signed] = INTEGERS[type.kind];
      const same = details !== undefined && details.i32(0) === bits && details.bool(1) === signed;
      return arrowType === TYPE.int && same ? undefined : path;
    }
  }
}

/** A record batch's message: `bytes` are its `metadataBytes`. */
export function decodeBatchMessage(field: string, bytes: Uint8Array, place: BatchPlace): BatchMessage {
  return guarded(field, () => {
    const header = messageHeader(field, bytes, place, HEADER_RECORD_BATCH);
    return recordBatch(field, header.header, header.metadata, place);
  });
}

export function decodeDictionaryMessage(field: string, bytes: Uint8Array, place: BatchPlace): BatchMessage {
  return guarded(field, () => {
    const { header, metadata } = messageHeader(field, bytes, place, HEADER_DICTIONARY_BATCH);
    const data = header.table(1);
    if (header.size(0) !== 0 || header.bool(2) || data === undefined) {
      throw corrupt(field, 'its dictionary is not the one whole dictionary of the table');
    }
    return recordBatch(field, data, metadata, place);
  });
}

function messageHeader(
  field: string,
  bytes: Uint8Array,
  place: BatchPlace,
  headerType: number,
): { header: FlatTable; metadata: Map<string, string> } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getInt32(0, true) !== -1 || view.getInt32(4, true) !== place.metadataBytes - 8) {
    throw corrupt(field, 'a batch does not start with its length');
  }
  const message = FlatTable.root(bytes.subarray(8));
  const header = message.table(2);
  if (message.i16(0) !== METADATA_V5 || message.u8(1) !== headerType || header === undefined) {
    throw corrupt(field, 'a batch is not of the kind that the file says');
  }
  if (message.size(3) !== place.bodyBytes) throw corrupt(field, 'a batch has two different lengths');
  return {
    header,
    metadata: new Map(
      message.tables(4, METADATA_ENTRIES_MAX).map((entry) => [entry.string(0), entry.string(1)]),
    ),
  };
}

function recordBatch(
  field: string,
  batch: FlatTable,
  metadata: ReadonlyMap<string, string>,
  place: BatchPlace,
): BatchMessage {
  const compression = batch.table(3);
  if (compression === undefined || compression.u8(0) !== CODEC_ZSTD || compression.u8(1) !== 0) {
    throw corrupt(field, 'its buffers are not compressed by zstd');
  }
  const nodes = batch.structs(1, 16, ARRAYS_MAX, (view, at) => {
    if (readSize(view, at + 8) !== 0) throw corrupt(field, 'it has nulls');
    return readSize(view, at);
  });
  let end = 0;
  const buffers = batch.structs(2, 16, 3 * ARRAYS_MAX, (view, at) => {
    const buffer = { offset: readSize(view, at), length: readSize(view, at + 8) };
    if (buffer.offset < end || buffer.offset + buffer.length > place.bodyBytes) {
      throw corrupt(field, 'a buffer does not lie inside its batch, after the one before it');
    }
    end = buffer.offset + buffer.length;
    return buffer;
  });
  return { rows: batch.size(0), nodes, buffers, metadata };
}

/** What leaves the bytes (RangeError) or is broken UTF-8 (TypeError) is corrupt. */
function guarded<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof RangeError || cause instanceof TypeError)) throw cause;
    throw corrupt(field, `its Arrow metadata is broken (${cause.message})`, cause);
  }
}
