/**
 * Reads what flame-table-encode.ts writes, in Node and in the browser. The numeric columns are views
 * of the input, not copies; everything is validated, so that drawing code may index without checks.
 */
import { DataType, RecordBatchReader, type Data, type RecordBatch } from 'apache-arrow';
import { FleetflameError } from '../errors.ts';
import { checkArrowStream } from './check-arrow-stream.ts';
import { FLAME_TABLE_KIND, FLAME_TABLE_VERSION } from './flame-table-encode.ts';
import { FRAME_KINDS, type FlameTable, type FrameTable } from './flame-table.ts';

/** @throws FleetflameError corrupt_data, with the column as field, when the bytes are no flame table. */
export function decodeFlameTable(bytes: Uint8Array): FlameTable {
  const batch = readBatch(bytes);
  const length = batch.numRows;
  if (length === 0) throw corrupt('parent', 'there is no root row');
  const parent = column(batch, 'parent', Int32Array);
  const depth = column(batch, 'depth', Uint16Array);
  const total = column(batch, 'total', Float64Array);
  const self = column(batch, 'self', Float64Array);
  const prunedNodes = column(batch, 'pruned_nodes', Uint32Array);
  const frame = column(batch, 'frame', Uint32Array);
  const subtreeEnd = checkTree(length, parent, depth);
  for (let i = 0; i < length; i++) {
    if (!Number.isFinite(total[i]!)) throw corrupt('total', `row ${i} is not a finite number`);
    if (!Number.isFinite(self[i]!)) throw corrupt('self', `row ${i} is not a finite number`);
  }
  return {
    length,
    parent,
    subtreeEnd,
    depth,
    frame,
    total,
    self,
    prunedNodes,
    frames: readFrames(batch, frame),
  };
}

function readBatch(bytes: Uint8Array): RecordBatch {
  // Arrow's buffers are aligned to 8 bytes within the stream, typed arrays to the ArrayBuffer: a
  // stream inside a larger message may need one copy.
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  try {
    checkArrowStream(aligned);
    const batches = [...RecordBatchReader.from(aligned)];
    const [batch] = batches;
    if (batch === undefined || batches.length !== 1) {
      throw corrupt('', `one record batch is expected, there are ${batches.length}`);
    }
    const metadata = batch.schema.metadata;
    if (metadata.get('kind') !== FLAME_TABLE_KIND || metadata.get('version') !== FLAME_TABLE_VERSION) {
      throw corrupt(
        '',
        `the schema says kind ${metadata.get('kind')} version ${metadata.get('version')}, this reader knows ` +
          `${FLAME_TABLE_KIND} version ${FLAME_TABLE_VERSION}`,
      );
    }
    return batch;
  } catch (cause) {
    if (cause instanceof FleetflameError) throw cause;
    throw new FleetflameError(
      'corrupt_data',
      `The flame table cannot be read: it is not a complete Arrow IPC stream (${String(cause)}).`,
      { cause },
    );
  }
}

interface ArrayType<T> {
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
  new (length: number): T;
}

function child(batch: RecordBatch, name: string): Data {
  const index = batch.schema.fields.findIndex((field) => field.name === name);
  const data = batch.data.children[index];
  if (data === undefined) throw corrupt(name, 'the column is missing');
  if (data.length !== batch.numRows || data.nullCount > 0)
    throw corrupt(name, 'the column has missing values');
  return data;
}

function valuesOf<T extends { readonly length: number; subarray(start: number, end: number): T }>(
  data: Data,
  name: string,
  type: ArrayType<T>,
): T {
  const values: unknown = data.values;
  if (!(values instanceof type) || values.length < data.length) {
    throw corrupt(name, `fewer than ${data.length} values`);
  }
  return values.subarray(0, data.length);
}

function column<T extends { readonly length: number; subarray(start: number, end: number): T }>(
  batch: RecordBatch,
  name: string,
  type: ArrayType<T>,
): T {
  const data = child(batch, name);
  if (!DataType.isInt(data.type) && !DataType.isFloat(data.type))
    throw corrupt(name, 'the column is not numeric');
  return valuesOf(data, name, type);
}

/**
 * The ends of all subtrees, in one pass: `open` is the path from the root to the last row, and a
 * row's parent must be on it, or the rows are not in pre-order.
 */
function checkTree(length: number, parent: Int32Array, depth: Uint16Array): Int32Array {
  if (parent[0] !== -1 || depth[0] !== 0) throw corrupt('parent', 'row 0 is not the root');
  const subtreeEnd = new Int32Array(length);
  let last = 0;
  for (let i = 1; i < length; i++) {
    const p = parent[i]!;
    while (last !== p) {
      subtreeEnd[last] = i;
      last = parent[last]!;
      if (last < 0) throw corrupt('parent', `row ${i}: the rows are not in pre-order`);
    }
    if (depth[i] !== depth[p]! + 1) throw corrupt('depth', `row ${i} is not one below its parent`);
    last = i;
  }
  for (; last >= 0; last = parent[last]!) subtreeEnd[last] = length;
  return subtreeEnd;
}

/** Frames are numbered densely; the first node of a frame says what it is, the others must agree. */
function readFrames(batch: RecordBatch, frame: Uint32Array): FrameTable {
  const rows = frame.length;
  let frameCount = 0;
  for (let i = 0; i < rows; i++) if (frame[i]! >= frameCount) frameCount = frame[i]! + 1;
  if (frameCount > rows) throw corrupt('frame', `frame ${frameCount - 1} in a table of ${rows} rows`);
  const first = new Int32Array(frameCount).fill(-1);
  for (let i = rows - 1; i >= 0; i--) first[frame[i]!] = i;
  for (let f = 0; f < frameCount; f++) if (first[f]! < 0) throw corrupt('frame', `no row has frame ${f}`);

  const strings: string[] = [];
  const stringColumn = (name: string): Uint32Array => {
    const data = child(batch, name);
    if (!DataType.isDictionary(data.type)) {
      throw corrupt(name, 'the column is not dictionary-encoded');
    }
    const base = strings.length;
    const size = readStrings(data, name, strings);
    return perFrame(
      name,
      valuesOf(data, name, Int32Array),
      size,
      frame,
      first,
      new Uint32Array(frameCount),
      base,
    );
  };
  const byteColumn = (name: string, size: number): Uint8Array =>
    perFrame(name, column(batch, name, Uint8Array), size, frame, first, new Uint8Array(frameCount), 0);
  const startLine = perFrame(
    'start_line',
    column(batch, 'start_line', Uint32Array),
    2 ** 32,
    frame,
    first,
    new Uint32Array(frameCount),
    0,
  );
  return {
    length: frameCount,
    name: stringColumn('name'),
    filename: stringColumn('filename'),
    binary: stringColumn('binary'),
    buildId: stringColumn('build_id'),
    startLine,
    kind: byteColumn('kind', FRAME_KINDS.length),
    named: byteColumn('named', 2),
    strings,
  };
}

function perFrame<T extends Uint8Array | Uint32Array>(
  name: string,
  values: Int32Array | Uint8Array | Uint32Array,
  size: number,
  frame: Uint32Array,
  first: Int32Array,
  out: T,
  base: number,
): T {
  for (let f = 0; f < first.length; f++) {
    const value = values[first[f]!]!;
    if (value < 0 || value >= size) throw corrupt(name, `row ${first[f]}: ${value} is not below ${size}`);
    out[f] = base + value;
  }
  for (let i = 0; i < frame.length; i++) {
    if (base + values[i]! !== out[frame[i]!]) {
      throw corrupt(name, `row ${i} and row ${first[frame[i]!]} have the same frame and differ`);
    }
  }
  return out;
}

/** Appends the dictionary's strings to `out` and returns how many there are. */
function readStrings(data: Data, name: string, out: string[]): number {
  const dictionary = data.dictionary?.data ?? [];
  let size = 0;
  for (const chunk of dictionary) {
    if (!DataType.isUtf8(chunk.type)) throw corrupt(name, 'the dictionary does not hold Utf8');
    const offsets: unknown = chunk.valueOffsets;
    const bytes: unknown = chunk.values ?? new Uint8Array(0);
    if (
      !(offsets instanceof Int32Array) ||
      !(bytes instanceof Uint8Array) ||
      offsets.length <= chunk.length
    ) {
      throw corrupt(name, 'the dictionary is incomplete');
    }
    appendStrings(name, offsets.subarray(0, chunk.length + 1), bytes, out);
    size += chunk.length;
  }
  return size;
}

function appendStrings(name: string, offsets: Int32Array, bytes: Uint8Array, out: string[]): void {
  const count = offsets.length - 1;
  for (let i = 0; i < count; i++) {
    if (offsets[i]! < 0 || offsets[i]! > offsets[i + 1]!) throw corrupt(name, 'dictionary offsets go back');
  }
  const start = offsets[0]!;
  const end = offsets[count]!;
  if (start < 0 || end > bytes.length) throw corrupt(name, 'dictionary offsets point past the text');
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    // One call for all of them where the text is ASCII, so bytes and characters count the same.
    const text = decoder.decode(bytes.subarray(start, end));
    if (text.length === end - start) {
      for (let i = 0; i < count; i++) out.push(text.slice(offsets[i]! - start, offsets[i + 1]! - start));
      return;
    }
    for (let i = 0; i < count; i++) out.push(decoder.decode(bytes.subarray(offsets[i], offsets[i + 1])));
  } catch (cause) {
    throw new FleetflameError('corrupt_data', `The flame table cannot be read: ${name} is not UTF-8.`, {
      field: name,
      cause,
    });
  }
}

function corrupt(field: string, what: string): FleetflameError {
  return new FleetflameError('corrupt_data', `The flame table cannot be read: ${field}: ${what}.`, { field });
}
