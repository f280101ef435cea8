/**
 * The flame table as an Arrow IPC stream: one schema, one record batch, uncompressed buffers, one
 * flat row per node, so that any Arrow reader can use it as it is. docs/format.md, "Flame table",
 * describes the columns; flame-table-decode.ts is the mirror of this file.
 */
import {
  Dictionary,
  Field,
  Float64,
  Int32,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Uint16,
  Uint32,
  Uint8,
  Utf8,
  makeData,
  makeVector,
  type Data,
} from 'apache-arrow';
import type { FlameTable } from './flame-table.ts';

/** Schema metadata: what this stream is, and the version of its layout. */
export const FLAME_TABLE_KIND = 'fleetflame.flame_table';
export const FLAME_TABLE_VERSION = '2';

/** Bytes of an Arrow IPC stream. Integers up to 2^53 are exact. */
export function encodeFlameTable(table: FlameTable): Uint8Array {
  const { length, frames } = table;
  const frame = table.frame.subarray(0, length);
  const columns: readonly (readonly [string, Data])[] = [
    ['parent', makeData({ type: new Int32(), length, nullCount: 0, data: table.parent.subarray(0, length) })],
    ['depth', makeData({ type: new Uint16(), length, nullCount: 0, data: table.depth.subarray(0, length) })],
    ['total', makeData({ type: new Float64(), length, nullCount: 0, data: table.total.subarray(0, length) })],
    ['self', makeData({ type: new Float64(), length, nullCount: 0, data: table.self.subarray(0, length) })],
    [
      'pruned_nodes',
      makeData({ type: new Uint32(), length, nullCount: 0, data: table.prunedNodes.subarray(0, length) }),
    ],
    ['frame', makeData({ type: new Uint32(), length, nullCount: 0, data: frame })],
    ['name', dictionaryColumn(0, frames.strings, frames.name, frame)],
    ['filename', dictionaryColumn(1, frames.strings, frames.filename, frame)],
    ['binary', dictionaryColumn(2, frames.strings, frames.binary, frame)],
    ['build_id', dictionaryColumn(3, frames.strings, frames.buildId, frame)],
    [
      'start_line',
      makeData({ type: new Uint32(), length, nullCount: 0, data: perRow(frames.startLine, frame) }),
    ],
    ['kind', byteColumn(frames.kind, frame)],
    ['named', byteColumn(frames.named, frame)],
  ];
  const fields = columns.map(([name, data]) => new Field(name, data.type, false));
  const schema = new Schema(
    fields,
    new Map([
      ['kind', FLAME_TABLE_KIND],
      ['version', FLAME_TABLE_VERSION],
    ]),
  );
  const data = makeData({
    type: new Struct(fields),
    length,
    nullCount: 0,
    children: columns.map(([, column]) => column),
  });
  return RecordBatchStreamWriter.writeAll([new RecordBatch(schema, data)]).toUint8Array(true);
}

/** One string per node, as indices into a dictionary that holds only the strings in use, once each. */
function dictionaryColumn(
  id: number,
  strings: readonly string[],
  stringOfFrame: Uint32Array,
  frame: Uint32Array,
): Data {
  const codeOfString = new Int32Array(strings.length).fill(-1);
  const used: string[] = [];
  const indices = new Int32Array(frame.length);
  for (let i = 0; i < frame.length; i++) {
    const string = stringOfFrame[frame[i]!]!;
    let code = codeOfString[string]!;
    if (code < 0) {
      code = used.length;
      codeOfString[string] = code;
      used.push(strings[string] ?? '');
    }
    indices[i] = code;
  }
  return makeData({
    type: new Dictionary(new Utf8(), new Int32(), id),
    length: frame.length,
    nullCount: 0,
    data: indices,
    dictionary: makeVector(utf8Column(used)),
  });
}

function utf8Column(strings: readonly string[]): Data<Utf8> {
  const text = strings.join('');
  const data = new TextEncoder().encode(text);
  const valueOffsets = new Int32Array(strings.length + 1);
  if (data.length === text.length) {
    // Only ASCII: a string is as many bytes as characters.
    for (let i = 0; i < strings.length; i++) valueOffsets[i + 1] = valueOffsets[i]! + strings[i]!.length;
    return makeData({ type: new Utf8(), length: strings.length, nullCount: 0, valueOffsets, data });
  }
  const parts = strings.map((string) => new TextEncoder().encode(string));
  for (let i = 0; i < parts.length; i++) valueOffsets[i + 1] = valueOffsets[i]! + parts[i]!.length;
  // Not `data`: a surrogate pair that was split over two strings would have joined in it.
  const bytes = new Uint8Array(valueOffsets[parts.length]!);
  for (let i = 0; i < parts.length; i++) bytes.set(parts[i]!, valueOffsets[i]);
  return makeData({ type: new Utf8(), length: strings.length, nullCount: 0, valueOffsets, data: bytes });
}

function perRow(valueOfFrame: Uint32Array, frame: Uint32Array): Uint32Array {
  const data = new Uint32Array(frame.length);
  for (let i = 0; i < frame.length; i++) data[i] = valueOfFrame[frame[i]!]!;
  return data;
}

function byteColumn(valueOfFrame: Uint8Array, frame: Uint32Array): Data<Uint8> {
  const data = new Uint8Array(frame.length);
  for (let i = 0; i < frame.length; i++) data[i] = valueOfFrame[frame[i]!]!;
  return makeData({ type: new Uint8(), length: frame.length, nullCount: 0, data });
}
