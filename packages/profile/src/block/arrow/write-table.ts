/**
 * Writes one table as a complete Arrow IPC file, from typed arrays. The library makes the metadata;
 * its writer for whole files is left out, because it spends more on objects for a batch of twenty rows
 * than the batch takes to store, and because (21.2) it puts the compressed length before each buffer,
 * where the Arrow format wants the uncompressed one, and other implementations refuse such files.
 */
import { CompressionType, MetadataVersion } from 'apache-arrow';
import { FileBlock, Footer } from 'apache-arrow/ipc/metadata/file';
import { BodyCompression, DictionaryBatch, Message, RecordBatch } from 'apache-arrow/ipc/metadata/message';

import { BodyWriter } from './body-writer.ts';
import { alignBuffer } from './buffer-prefix.ts';
import type { Column, ColumnArrays } from './columns.ts';
import { ARROW_HEAD_BYTES, ARROW_MAGIC, type BatchPlace } from './metadata.ts';
import { DICTIONARY_ID, schemaOf } from './schema.ts';

const ZSTD = new BodyCompression(CompressionType.ZSTD);
/** Before the message of a batch: -1, and the message's length with its padding. */
const MESSAGE_HEAD_BYTES = 8;
const END_OF_BATCHES = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

export interface BatchToWrite {
  readonly rows: number;
  readonly arrays: ColumnArrays;
  /** Buffers of fewer bytes are stored as they are. */
  readonly rawBelowBytes: number;
}

export interface WrittenTable {
  readonly bytes: Uint8Array;
  /** In the order of the batches that were given. */
  readonly batches: readonly BatchPlace[];
}

/** The strings that a table's columns index, as Arrow has them. */
export interface Dictionary {
  readonly offsets: Int32Array;
  readonly bytes: Uint8Array;
}

/** `dictionary`: the strings that text columns index; undefined without text columns. */
export function writeTable(
  columns: readonly Column[],
  batches: readonly BatchToWrite[],
  dictionary?: Dictionary,
): WrittenTable {
  const file = new FileWriter();
  const [first] = batches;
  if (dictionary !== undefined && first !== undefined) {
    const body = new BodyWriter(first.rawBelowBytes);
    body.strings(dictionary.offsets, dictionary.bytes);
    file.dictionary(dictionary.offsets.length - 1, body);
  }
  for (const { rows, arrays, rawBelowBytes } of batches) {
    const body = new BodyWriter(rawBelowBytes);
    body.columns(columns, arrays, rows);
    file.batch(rows, body);
  }
  return file.finish(columns);
}

class FileWriter {
  readonly #parts: Uint8Array[] = [ARROW_MAGIC, new Uint8Array(ARROW_HEAD_BYTES - ARROW_MAGIC.length)];
  #bytes = ARROW_HEAD_BYTES;
  readonly #dictionaries: BatchPlace[] = [];
  readonly #batches: BatchPlace[] = [];

  dictionary(rows: number, body: BodyWriter): void {
    const batch = new RecordBatch(rows, body.nodes, body.regions, ZSTD);
    this.#dictionaries.push(this.#message(new DictionaryBatch(batch, DICTIONARY_ID), body));
  }

  batch(rows: number, body: BodyWriter): void {
    const batch = new RecordBatch(rows, body.nodes, body.regions, ZSTD);
    this.#batches.push(this.#message(batch, body));
  }

  finish(columns: readonly Column[]): WrittenTable {
    const footer = Footer.encode(
      new Footer(
        schemaOf(columns),
        MetadataVersion.V5,
        this.#batches.map(toFileBlock),
        this.#dictionaries.map(toFileBlock),
      ),
    );
    const length = new Uint8Array(4);
    new DataView(length.buffer).setInt32(0, footer.length, true);
    this.#append(END_OF_BATCHES);
    this.#append(footer);
    this.#append(length);
    this.#append(ARROW_MAGIC);
    const bytes = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return { bytes, batches: this.#batches };
  }

  #message(header: RecordBatch | DictionaryBatch, body: BodyWriter): BatchPlace {
    const message = Message.encode(Message.from(header, body.bytes));
    const length = alignBuffer(message.length);
    const head = new Uint8Array(MESSAGE_HEAD_BYTES + length);
    const view = new DataView(head.buffer);
    view.setInt32(0, -1, true);
    view.setInt32(4, length, true);
    head.set(message, MESSAGE_HEAD_BYTES);
    const place = { offset: this.#bytes, metadataBytes: head.length, bodyBytes: body.bytes };
    this.#append(head);
    for (const part of body.parts) this.#append(part);
    return place;
  }

  #append(part: Uint8Array): void {
    this.#parts.push(part);
    this.#bytes += part.length;
  }
}

function toFileBlock({ offset, metadataBytes, bodyBytes }: BatchPlace): FileBlock {
  return new FileBlock(metadataBytes, bodyBytes, offset);
}
