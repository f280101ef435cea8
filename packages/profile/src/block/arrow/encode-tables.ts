/** Each table of a block as an Arrow IPC file. decode-tables.ts mirrors it. */
import type { Block, SampleTable, SeriesTable } from '../block.ts';
import { WHOLE_BATCH_BYTES } from '../container/layout.ts';
import type { DatasetRange } from '../datasets.ts';
import {
  FUNCTIONS_COLUMNS,
  LOCATIONS_COLUMNS,
  MAPPINGS_COLUMNS,
  POINTS_COLUMNS,
  SAMPLES_COLUMNS,
  SERIES_COLUMNS,
  STACKS_COLUMNS,
  type Column,
  type ColumnArrays,
} from './columns.ts';
import { int64FromFloat64 } from './int64.ts';
import { writeTable, type BatchToWrite, type Dictionary, type WrittenTable } from './write-table.ts';
import type { StringTable } from '../string-table.ts';
import { GrowableU32 } from '../tables/growable.ts';

/**
 * Raw buffers of samples are checked with their whole batch, so batches that are not read whole may
 * not have any. Half of that leaves room for buffers that zstd does not shrink, prefixes and padding.
 */
const RAW_BATCH_BYTES = WHOLE_BATCH_BYTES / 2;

export function encodeSeries({ series, strings }: Block, rawBelowBytes: number): WrittenTable {
  const dictionary = new DictionaryOut(strings);
  const instants = {
    profile_type: dictionary.indices(series.profileType),
    period: int64FromFloat64(series.period),
    labels: asInt32(series.labelStart),
    'labels[].name': dictionary.indices(series.labelName),
    'labels[].value': dictionary.indices(series.labelValue),
  };
  if (hasInstantsOnly(series))
    return single(SERIES_COLUMNS.instants, series.length, dictionary, rawBelowBytes, instants);
  return single(SERIES_COLUMNS.profiles, series.length, dictionary, rawBelowBytes, {
    ...instants,
    kind: series.kind,
    profiles: asInt32(series.profileStart),
    'profiles[].time': series.profileTime,
    'profiles[].duration': series.profileDuration,
    'profiles[].count': series.profileCount,
  });
}

/** True when all are rates and none has profiles: such a block has the columns, and the version, of format 2. */
export function hasInstantsOnly({ kind, profileTime }: SeriesTable): boolean {
  return profileTime.length === 0 && kind.every((one) => one === 0);
}

/** `order`: of the locations. */
export function encodeStacks({ stacks }: Block, order: Uint32Array, rawBelowBytes: number): WrittenTable {
  const place = new Uint32Array(order.length);
  for (let at = 0; at < order.length; at++) place[order[at]!] = at;
  return single(STACKS_COLUMNS, stacks.length, undefined, rawBelowBytes, {
    parent_distance: stacks.parent.map((parent, row) => row - parent),
    // The root's location means nothing.
    location: stacks.location.map((location, row) => (row === 0 ? 0 : place[location]!)),
  });
}

/** `order`: of the locations. */
export function encodeLocations(
  { locations }: Block,
  order: Uint32Array,
  rawBelowBytes: number,
): WrittenTable {
  const { lineStart, lineFunction, lineNumber, lineColumn } = locations;
  const hasColumns = lineColumn.some((column) => column !== 0);
  const lines = new Int32Array(order.length + 1);
  const functions = new Uint32Array(lineFunction.length);
  const numbers = new Uint32Array(lineNumber.length);
  const columns = new Uint32Array(hasColumns ? lineColumn.length : 0);
  let line = 0;
  for (let at = 0; at < order.length; at++) {
    const end = lineStart[order[at]! + 1]!;
    for (let from = lineStart[order[at]!]!; from < end; from++, line++) {
      functions[line] = lineFunction[from]!;
      numbers[line] = lineNumber[from]!;
      if (hasColumns) columns[line] = lineColumn[from]!;
    }
    lines[at + 1] = line;
  }
  const kind = hasColumns ? 'columns' : 'lines';
  return single(LOCATIONS_COLUMNS[kind], locations.length, undefined, rawBelowBytes, {
    mapping: order.map((row) => locations.mapping[row]!),
    address_delta: addressDeltas(locations.address, order),
    lines,
    'lines[].function': functions.subarray(0, line),
    'lines[].line': numbers.subarray(0, line),
    ...(hasColumns ? { 'lines[].column': columns.subarray(0, line) } : {}),
  });
}

/** Differences modulo 2^64, two words at a time: no BigInt per address. */
function addressDeltas(address: BigUint64Array, order: Uint32Array): BigUint64Array {
  const words = new Uint32Array(address.buffer, address.byteOffset, 2 * address.length);
  const out = new BigUint64Array(order.length);
  const outWords = new Uint32Array(out.buffer);
  let beforeLow = 0;
  let beforeHigh = 0;
  for (let at = 0; at < order.length; at++) {
    const low = words[2 * order[at]!]!;
    const high = words[2 * order[at]! + 1]!;
    outWords[2 * at] = low - beforeLow;
    outWords[2 * at + 1] = high - beforeHigh - (low < beforeLow ? 1 : 0);
    beforeLow = low;
    beforeHigh = high;
  }
  return out;
}

export function encodeFunctions({ functions, strings }: Block, rawBelowBytes: number): WrittenTable {
  const dictionary = new DictionaryOut(strings);
  return single(FUNCTIONS_COLUMNS, functions.length, dictionary, rawBelowBytes, {
    name: dictionary.indices(functions.name),
    system_name: dictionary.indices(functions.systemName),
    filename: dictionary.indices(functions.filename),
    start_line: functions.startLine,
  });
}

export function encodeMappings({ mappings, strings }: Block, rawBelowBytes: number): WrittenTable {
  const dictionary = new DictionaryOut(strings);
  return single(MAPPINGS_COLUMNS, mappings.length, dictionary, rawBelowBytes, {
    file: dictionary.indices(mappings.file),
    build_id: dictionary.indices(mappings.buildId),
    kind: mappings.kind,
  });
}

/** Samples and their points: one record batch of each per dataset. */
export function encodeSamples(
  { samples }: Block,
  datasets: readonly DatasetRange[],
  rawBelowBytes: number,
): { readonly samples: WrittenTable; readonly points: WrittenTable } {
  const kind = fitsU32(samples.value) ? 'u32' : 'i64';
  return {
    samples: writeTable(
      SAMPLES_COLUMNS,
      datasets.map((dataset) => sampleBatch(samples, dataset, rawBelowBytes)),
    ),
    points: writeTable(
      POINTS_COLUMNS[kind],
      datasets.map((dataset) => pointBatch(samples, dataset, kind, rawBelowBytes)),
    ),
  };
}

function sampleBatch(samples: SampleTable, dataset: DatasetRange, rawBelowBytes: number): BatchToWrite {
  const { sampleStart: start, sampleEnd: end } = dataset;
  const stacks = new Uint32Array(end - start);
  const counts = new Uint32Array(end - start);
  let before = 0;
  for (let row = start; row < end; row++) {
    // Modulo 2^32: the next series begins with a smaller stack.
    stacks[row - start] = samples.stack[row]! - before;
    before = samples.stack[row]!;
    counts[row - start] = samples.pointStart[row + 1]! - samples.pointStart[row]!;
  }
  const arrays = {
    series: samples.series.subarray(start, end),
    stack_delta: stacks,
    total: int64FromFloat64(samples.total.subarray(start, end)),
    points: counts,
  };
  return batchOf(end - start, arrays, rawBelowBytes);
}

function pointBatch(
  samples: SampleTable,
  dataset: DatasetRange,
  kind: 'u32' | 'i64',
  rawBelowBytes: number,
): BatchToWrite {
  const { sampleStart, sampleEnd } = dataset;
  const { pointStart, time } = samples;
  const first = pointStart[sampleStart]!;
  const end = pointStart[sampleEnd]!;
  const times = new Uint32Array(end - first);
  let rowBefore = 0;
  for (let row = sampleStart; row < sampleEnd; row++) {
    let before = rowBefore;
    for (let point = pointStart[row]!; point < pointStart[row + 1]!; point++) {
      // Modulo 2^32: a row may begin before the one above it does.
      times[point - first] = time[point]! - before;
      before = time[point]!;
    }
    rowBefore = time[pointStart[row]!]!;
  }
  const values = samples.value.subarray(first, end);
  const arrays = {
    time_delta: times,
    value: kind === 'u32' ? Uint32Array.from(values) : int64FromFloat64(values),
  };
  return batchOf(end - first, arrays, rawBelowBytes);
}

/** A batch that may be read in parts has no raw buffers: the checksum of the whole is not looked at then. */
function batchOf(rows: number, arrays: ColumnArrays, rawBelowBytes: number): BatchToWrite {
  let bytes = 0;
  for (const array of Object.values(arrays)) bytes += array.byteLength;
  return { rows, arrays, rawBelowBytes: bytes <= RAW_BATCH_BYTES ? rawBelowBytes : 0 };
}

/** A table without rows has no record batch, and then no dictionary. */
function single(
  columns: readonly Column[],
  rows: number,
  dictionary: DictionaryOut | undefined,
  rawBelowBytes: number,
  arrays: ColumnArrays,
): WrittenTable {
  const batches = rows === 0 ? [] : [{ rows, arrays, rawBelowBytes }];
  return writeTable(columns, batches, dictionary?.finish());
}

/** The strings that one table uses, in order of first use. */
class DictionaryOut {
  readonly #strings: StringTable;
  /** Index in the dictionary + 1 per string of the block; 0: not used yet. */
  readonly #local: Int32Array;
  readonly #used = new GrowableU32();
  #bytes = 0;

  constructor(strings: StringTable) {
    this.#strings = strings;
    this.#local = new Int32Array(strings.length);
  }

  indices(column: Uint32Array): Int32Array {
    const out = new Int32Array(column.length);
    const local = this.#local;
    for (let row = 0; row < column.length; row++) {
      const string = column[row]!;
      let place = local[string]!;
      if (place === 0) {
        this.#used.push(string);
        this.#bytes += this.#strings.byteLength(string);
        place = local[string] = this.#used.length;
      }
      out[row] = place - 1;
    }
    return out;
  }

  finish(): Dictionary {
    const used = this.#used.view();
    const { bytes: from, starts } = this.#strings;
    const offsets = new Int32Array(used.length + 1);
    const bytes = new Uint8Array(this.#bytes);
    for (let i = 0, end = 0; i < used.length; i++) {
      const start = starts[used[i]!]!;
      const size = starts[used[i]! + 1]! - start;
      // Names are short: a loop beats a view and a call.
      for (let at = 0; at < size; at++) bytes[end + at] = from[start + at]!;
      end += size;
      offsets[i + 1] = end;
    }
    return { offsets, bytes };
  }
}

function fitsU32(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < 0 || values[i]! > 0xffff_ffff) return false;
  }
  return true;
}

function asInt32(starts: Uint32Array): Int32Array {
  return new Int32Array(starts.buffer, starts.byteOffset, starts.length);
}
