/** The body of a record batch: its arrays depth first, buffers behind each other at multiples of eight. */
import { BufferRegion, FieldNode } from 'apache-arrow/ipc/metadata/message';

import { zstdCompress } from '#compression';

import { PREFIX_BYTES, RAW_PREFIX, alignBuffer } from './buffer-prefix.ts';
import {
  INTEGER_BYTES,
  arrayOf,
  fieldPath,
  itemPath,
  type Column,
  type ColumnArrays,
  type ColumnType,
} from './columns.ts';

export class BodyWriter {
  readonly nodes: FieldNode[] = [];
  readonly regions: BufferRegion[] = [];
  readonly #rawBelowBytes: number;
  /** What follows each other in the body: prefixes, buffers, padding. */
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  /** Buffers of fewer bytes are stored as they are, others as zstd frames. */
  constructor(rawBelowBytes: number) {
    this.#rawBelowBytes = rawBelowBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get parts(): readonly Uint8Array[] {
    return this.#parts;
  }

  columns(columns: readonly Column[], arrays: ColumnArrays, rows: number): void {
    for (const { name, type } of columns) this.#column(type, name, arrays, rows);
  }

  /** One utf8 array. */
  strings(offsets: Int32Array, bytes: Uint8Array): void {
    this.#startNode(offsets.length - 1);
    this.#buffer(offsets);
    this.#buffer(bytes);
  }

  #column(type: ColumnType, path: string, arrays: ColumnArrays, rows: number): void {
    this.#startNode(rows);
    switch (type.kind) {
      case 'struct':
        for (const field of type.fields) this.#column(field.type, fieldPath(path, field.name), arrays, rows);
        break;
      case 'list': {
        const offsets = arrayOf(arrays, path, Int32Array);
        this.#buffer(offsets.subarray(0, rows + 1));
        this.#column(type.item, itemPath(path), arrays, offsets[rows] ?? 0);
        break;
      }
      default: {
        const array = arrays[path];
        if (array?.BYTES_PER_ELEMENT !== INTEGER_BYTES[type.kind]) {
          throw new Error(`column ${path} is not of ${type.kind}`);
        }
        this.#buffer(array.subarray(0, rows));
      }
    }
  }

  /** Every array begins with its length and an empty validity buffer: there are no nulls. */
  #startNode(rows: number): void {
    this.nodes.push(new FieldNode(rows, 0));
    this.regions.push(new BufferRegion(this.#bytes, 0));
  }

  #buffer(array: ArrayBufferView): void {
    const raw = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    if (raw.length === 0) {
      this.regions.push(new BufferRegion(this.#bytes, 0));
    } else if (raw.length < this.#rawBelowBytes) {
      this.#append(RAW_PREFIX, raw);
    } else {
      const prefix = new Uint8Array(PREFIX_BYTES);
      new DataView(prefix.buffer).setBigInt64(0, BigInt(raw.length), true);
      this.#append(prefix, zstdCompress(raw));
    }
  }

  #append(prefix: Uint8Array, stored: Uint8Array): void {
    const length = PREFIX_BYTES + stored.length;
    this.regions.push(new BufferRegion(this.#bytes, length));
    const padding = alignBuffer(length) - length;
    this.#parts.push(prefix, stored);
    if (padding > 0) this.#parts.push(new Uint8Array(padding));
    this.#bytes += length + padding;
  }
}
