/** Reads a whole table that is in memory. */
import type { Column, ColumnArrays } from './columns.ts';
import { corrupt } from './corrupt.ts';
import type { MemoryBudget } from './memory-budget.ts';
import {
  ARROW_TAIL_BYTES,
  arrowFooterBytes,
  decodeArrowFooter,
  decodeBatchMessage,
  decodeDictionaryMessage,
  startsWithArrowMagic,
  type ArrowFooter,
  type BatchPlace,
} from './metadata.ts';
import { readBatch, readDictionary } from './read-batch.ts';
import type { StringBytes } from '../string-table.ts';

export interface TableRead {
  readonly rows: number;
  readonly arrays: ColumnArrays;
  /** Undefined for a table without text columns. */
  readonly dictionary: StringBytes | undefined;
}

/** A table of at most one record batch: any but samples. Undefined when it has no rows. */
export function readTable(
  table: string,
  bytes: Uint8Array,
  allowed: readonly (readonly Column[])[],
  rows: number,
  budget: MemoryBudget,
): TableRead | undefined {
  const footer = openTable(table, bytes, allowed);
  const { columns } = footer;
  const [place, ...more] = footer.batches;
  const [dictionaryPlace, ...moreDictionaries] = footer.dictionaries;
  const hasText = columns.some(({ type }) => JSON.stringify(type).includes('"text"'));
  if (more.length > 0 || moreDictionaries.length > 0) throw corrupt(table, 'it has more than one batch');
  if ((dictionaryPlace !== undefined) !== (hasText && place !== undefined)) {
    throw corrupt(table, 'its dictionary is missing or not needed');
  }
  if (place === undefined) {
    if (rows > 0) throw corrupt(table, `it should have ${rows} rows, but has none`);
    return undefined;
  }
  const message = decodeBatchMessage(table, messageBytes(bytes, place), place);
  if (message.rows !== rows) throw corrupt(table, `it should have ${rows} rows, but has ${message.rows}`);
  const arrays = readBatch(table, message, bufferSource(bytes, place, message), columns, budget);
  if (dictionaryPlace === undefined) return { rows, arrays, dictionary: undefined };
  const dictionary = decodeDictionaryMessage(table, messageBytes(bytes, dictionaryPlace), dictionaryPlace);
  const source = bufferSource(bytes, dictionaryPlace, dictionary);
  return { rows, arrays, dictionary: readDictionary(table, dictionary, source, budget) };
}

export function openTable(
  table: string,
  bytes: Uint8Array,
  allowed: readonly (readonly Column[])[],
): ArrowFooter {
  if (!startsWithArrowMagic(bytes)) throw corrupt(table, 'it does not begin like an Arrow file');
  const tailAt = bytes.length - ARROW_TAIL_BYTES;
  const footerAt = tailAt - arrowFooterBytes(table, bytes.subarray(Math.max(0, tailAt)), bytes.length);
  return decodeArrowFooter(table, bytes.subarray(footerAt, tailAt), footerAt, allowed);
}

export function messageBytes(bytes: Uint8Array, place: BatchPlace): Uint8Array {
  return bytes.subarray(place.offset, place.offset + place.metadataBytes);
}

export function bufferSource(
  bytes: Uint8Array,
  place: BatchPlace,
  message: { readonly buffers: readonly { readonly offset: number; readonly length: number }[] },
): (buffer: number) => Uint8Array {
  const body = bytes.subarray(place.offset + place.metadataBytes);
  return (index) => {
    const buffer = message.buffers[index]!;
    return body.subarray(buffer.offset, buffer.offset + buffer.length);
  };
}
