/**
 * Reads the buffers of one record batch into typed arrays. How long each buffer must be follows
 * from the row count and the offsets before it, so its declared size is checked, not believed, and
 * nothing is allocated for a lie.
 */
import { zstdDecompress } from '#compression';

import { PREFIX_BYTES } from './buffer-prefix.ts';
import {
  INTEGER_BYTES,
  fieldPath,
  itemPath,
  type Column,
  type ColumnArray,
  type ColumnArrays,
  type ColumnType,
} from './columns.ts';
import { corrupt } from './corrupt.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { BatchMessage } from './metadata.ts';
import type { StringBytes } from '../string-table.ts';

/** Bytes of buffer number i of the batch, as stored. */
export type BufferSource = (buffer: number) => Uint8Array;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface ReadBatchOptions {
  /** Whether buffers may be raw: only where a checksum of the whole batch was compared. Default true. */
  readonly raw?: boolean;
  /** Top-level columns to read; the others are not touched. Default all. */
  readonly wanted?: (column: string) => boolean;
}

export function readBatch(
  table: string,
  message: BatchMessage,
  source: BufferSource,
  columns: readonly Column[],
  budget: MemoryBudget,
  options: ReadBatchOptions = {},
): ColumnArrays {
  const reader = new BatchReader(table, message, source, budget, options.raw ?? true);
  for (const { name, type } of columns) {
    if (options.wanted?.(name) ?? true) reader.read(type, name, message.rows);
    else reader.skip(type);
  }
  reader.end();
  return reader.arrays;
}

/** Numbers of the buffers that the wanted columns need; what has to be fetched. */
export function buffersOf(columns: readonly Column[], wanted: (column: string) => boolean): number[] {
  const out: number[] = [];
  let next = 0;
  for (const { name, type } of columns) {
    const { buffers } = shapeOf(type);
    if (wanted(name)) for (let i = 0; i < buffers; i++) out.push(next + i);
    next += buffers;
  }
  return out;
}

/** The strings of a dictionary batch: one utf8 array. */
export function readDictionary(
  table: string,
  message: BatchMessage,
  source: BufferSource,
  budget: MemoryBudget,
): StringBytes {
  const field = `${table}.dictionary`;
  const reader = new BatchReader(field, message, source, budget, true);
  return reader.strings(message.rows);
}

class BatchReader {
  readonly arrays: Record<string, ColumnArray> = {};
  readonly #table: string;
  readonly #message: BatchMessage;
  readonly #source: BufferSource;
  readonly #budget: MemoryBudget;
  readonly #raw: boolean;
  #node = 0;
  #buffer = 0;

  constructor(
    table: string,
    message: BatchMessage,
    source: BufferSource,
    budget: MemoryBudget,
    raw: boolean,
  ) {
    this.#table = table;
    this.#message = message;
    this.#source = source;
    this.#budget = budget;
    this.#raw = raw;
  }

  read(type: ColumnType, path: string, rows: number): void {
    this.#startNode(path, rows);
    switch (type.kind) {
      case 'struct':
        for (const { name, type: child } of type.fields) this.read(child, fieldPath(path, name), rows);
        break;
      case 'list': {
        const offsets = this.#offsets(path, rows);
        this.arrays[path] = offsets;
        this.read(type.item, itemPath(path), offsets[rows] ?? 0);
        break;
      }
      case 'u8':
        this.arrays[path] = this.#bytes(path, rows);
        break;
      case 'u32':
        this.arrays[path] = new Uint32Array(...this.#words(path, rows, INTEGER_BYTES.u32));
        break;
      case 'u64':
        this.arrays[path] = new BigUint64Array(...this.#words(path, rows, INTEGER_BYTES.u64));
        break;
      case 'i64':
        this.arrays[path] = new BigInt64Array(...this.#words(path, rows, INTEGER_BYTES.i64));
        break;
      case 'text':
        this.arrays[path] = new Int32Array(...this.#words(path, rows, INTEGER_BYTES.text));
        break;
    }
  }

  skip(type: ColumnType): void {
    const { nodes, buffers } = shapeOf(type);
    this.#node += nodes;
    this.#buffer += buffers;
  }

  /** Every string by itself is UTF-8. */
  strings(count: number): StringBytes {
    this.#startNode('', count);
    const offsets = this.#offsets('', count);
    const bytes = this.#bytes('', offsets[count] ?? 0);
    // What decoding them all takes, twice for two-byte strings, and the rows of whoever interns them.
    this.#budget.take(2 * bytes.length + 8 * count, this.#table);
    this.end();
    this.#checkUtf8(bytes, offsets, count);
    return { bytes, starts: new Uint32Array(offsets.buffer, offsets.byteOffset, count + 1) };
  }

  /** All at once: the whole is valid and no string begins inside a character. */
  #checkUtf8(bytes: Uint8Array, offsets: Int32Array, count: number): void {
    let valid = true;
    try {
      decoder.decode(bytes);
    } catch {
      valid = false;
    }
    for (let i = 1; i < count && valid; i++) valid = (bytes[offsets[i]!]! & 0xc0) !== 0x80;
    if (valid) return;
    for (let i = 0; i < count; i++) {
      try {
        decoder.decode(bytes.subarray(offsets[i], offsets[i + 1]));
      } catch (cause) {
        throw corrupt(`${this.#table}[${i}]`, 'it is not UTF-8', cause);
      }
    }
  }

  /** All that the message lists must have been used. */
  end(): void {
    const { nodes, buffers } = this.#message;
    if (nodes.length !== this.#node || buffers.length !== this.#buffer) {
      throw corrupt(this.#table, 'a batch has other columns than the table');
    }
  }

  /** Every array begins with a node, which repeats its length, and an empty validity buffer. */
  #startNode(path: string, rows: number): void {
    const node = this.#message.nodes[this.#node++];
    const validity = this.#message.buffers[this.#buffer++];
    if (node !== rows || validity === undefined || validity.length > 0) {
      throw corrupt(fieldPath(this.#table, path), `it should have ${rows} rows without nulls`);
    }
  }

  #offsets(path: string, rows: number): Int32Array {
    const offsets = new Int32Array(...this.#words(path, rows + 1, INTEGER_BYTES.text));
    let before = 0;
    for (let i = 0; i <= rows; i++) {
      const offset = offsets[i]!;
      if (offset < before || (i === 0 && offset !== 0)) {
        throw corrupt(`${fieldPath(this.#table, path)}[${i}]`, 'its offsets do not rise from 0');
      }
      before = offset;
    }
    return offsets;
  }

  /** Arguments of a typed array's constructor. */
  #words(path: string, count: number, width: number): [buffer: ArrayBuffer, offset: number, count: number] {
    const bytes = this.#bytes(path, count * width);
    return [bytes.buffer, bytes.byteOffset, count];
  }

  /** The next buffer, decompressed, aligned to eight bytes. */
  #bytes(path: string, expected: number): Uint8Array<ArrayBuffer> {
    const index = this.#buffer++;
    const place = this.#message.buffers[index];
    const field = fieldPath(this.#table, path);
    if (place === undefined) throw corrupt(field, 'it is missing');
    if (expected === 0) {
      if (place.length !== 0) throw corrupt(field, 'it should be empty');
      return new Uint8Array(0);
    }
    if (place.length <= PREFIX_BYTES) throw corrupt(field, `it should hold ${expected} bytes, but is empty`);
    const stored = this.#source(index);
    const prefix = new DataView(stored.buffer, stored.byteOffset, PREFIX_BYTES);
    const low = prefix.getUint32(0, true);
    const high = prefix.getUint32(4, true);
    const content = stored.subarray(PREFIX_BYTES);
    const raw = low === 0xffff_ffff && high === 0xffff_ffff;
    if (raw && !this.#raw) throw corrupt(field, 'it is stored raw, where nothing checks it');
    const declared = raw ? content.length : high * 0x1_0000_0000 + low;
    if (declared !== expected) {
      throw corrupt(field, `it should hold ${expected} bytes, but says that it holds ${declared}`);
    }
    this.#budget.take(expected, field);
    const bytes = raw ? new Uint8Array(content) : zstdDecompress(content, expected);
    if (bytes.length !== expected) {
      throw corrupt(field, `it should hold ${expected} bytes, but holds ${bytes.length}`);
    }
    return owned(bytes);
  }
}

/** Copies bytes that are unaligned, or a small part of a pooled buffer that they would keep alive. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && byteOffset % 8 === 0 && buffer.byteLength <= byteLength + 4096) {
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  return new Uint8Array(bytes);
}

/** Arrays and buffers that a column has in a message, all levels together. */
function shapeOf(type: ColumnType): { nodes: number; buffers: number } {
  const shapes = type.kind === 'struct' ? type.fields.map((field) => shapeOf(field.type)) : [];
  if (type.kind === 'list') shapes.push(shapeOf(type.item));
  // Validity, and offsets or values; a struct has validity only.
  const own = { nodes: 1, buffers: type.kind === 'struct' ? 1 : 2 };
  return shapes.reduce((a, b) => ({ nodes: a.nodes + b.nodes, buffers: a.buffers + b.buffers }), own);
}
