/** Each table of a block as an Arrow IPC file. decode-tables.ts mirrors it. */
import type { Block, SampleTable } from '../block.ts';
import { WHOLE_BATCH_BYTES } from '../container/layout.ts';
import type { DatasetRange } from '../datasets.ts';
import {
  FUNCTIONS_COLUMNS,
  INTEGER_BYTES,
  LOCATIONS_COLUMNS,
  MAPPINGS_COLUMNS,
  SAMPLES_COLUMNS,
  SERIES_COLUMNS,
  STACKS_COLUMNS,
  type Column,
  type ColumnArrays,
} from './columns.ts';
import { int64FromFloat64 } from './int64.ts';
import { writeTable, type BatchToWrite, type WrittenTable } from './write-table.ts';

/**
 * Raw buffers of samples are checked with their whole batch, so batches that are not read whole may
 * not have any. Half of that leaves room for buffers that zstd does not shrink, prefixes and padding.
 */
const RAW_BATCH_BYTES = WHOLE_BATCH_BYTES / 2;

export function encodeSeries({ series, strings }: Block, rawBelowBytes: number): WrittenTable {
  const dictionary = new DictionaryOut(strings);
  return single(SERIES_COLUMNS, series.length, dictionary, rawBelowBytes, {
    profile_type: dictionary.indices(series.profileType),
    period: int64FromFloat64(series.period),
    labels: asInt32(series.labelStart),
    'labels[].name': dictionary.indices(series.labelName),
    'labels[].value': dictionary.indices(series.labelValue),
  });
}

export function encodeStacks({ stacks }: Block, rawBelowBytes: number): WrittenTable {
  return single(STACKS_COLUMNS, stacks.length, undefined, rawBelowBytes, {
    parent: stacks.parent,
    location: stacks.location,
  });
}

export function encodeLocations({ locations }: Block, rawBelowBytes: number): WrittenTable {
  return single(LOCATIONS_COLUMNS, locations.length, undefined, rawBelowBytes, {
    mapping: locations.mapping,
    address: locations.address,
    lines: asInt32(locations.lineStart),
    'lines[].function': locations.lineFunction,
    'lines[].line': locations.lineNumber,
  });
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

/** One record batch per dataset. */
export function encodeSamples(
  { samples }: Block,
  datasets: readonly DatasetRange[],
  rawBelowBytes: number,
): WrittenTable {
  const kind = fitsU32(samples.value) ? 'u32' : 'i64';
  const batches = datasets.map((dataset) => sampleBatch(samples, dataset, kind, rawBelowBytes));
  return writeTable(SAMPLES_COLUMNS[kind], batches);
}

function sampleBatch(
  samples: SampleTable,
  dataset: DatasetRange,
  kind: 'u32' | 'i64',
  rawBelowBytes: number,
): BatchToWrite {
  const { sampleStart: start, sampleEnd: end } = dataset;
  const pointStart = samples.pointStart[start]!;
  const pointEnd = samples.pointStart[end]!;
  const offsets = new Int32Array(end - start + 1);
  for (let row = start; row <= end; row++) offsets[row - start] = samples.pointStart[row]! - pointStart;
  const values = samples.value.subarray(pointStart, pointEnd);
  return {
    rows: end - start,
    arrays: {
      series: samples.series.subarray(start, end),
      stack: samples.stack.subarray(start, end),
      total: int64FromFloat64(samples.total.subarray(start, end)),
      times: offsets,
      'times[]': samples.time.subarray(pointStart, pointEnd),
      values: offsets,
      'values[]': kind === 'u32' ? Uint32Array.from(values) : int64FromFloat64(values),
    },
    metadata: new Map([
      ['profile_type', dataset.profileType],
      ['service_name', dataset.serviceName],
      ['rows', String(end - start)],
      ['time_min_ms', String(dataset.timeMinMs)],
      ['time_max_ms', String(dataset.timeMaxMs)],
      ['total', String(BigInt(dataset.total))],
    ]),
    rawBelowBytes:
      uncompressedBytes(end - start, pointEnd - pointStart, kind) <= RAW_BATCH_BYTES ? rawBelowBytes : 0,
  };
}

/** Of a batch of samples: series, stack, total and two offsets a row, time and value a point. */
function uncompressedBytes(rows: number, points: number, kind: 'u32' | 'i64'): number {
  return 24 * rows + (4 + INTEGER_BYTES[kind]) * points;
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
  return writeTable(columns, batches, dictionary?.strings);
}

/** The strings that one table uses, in order of first use. */
class DictionaryOut {
  readonly strings: string[] = [];
  readonly #blockStrings: readonly string[];
  /** Index in `strings` + 1 per block string; 0: not used yet. */
  readonly #local: Int32Array;

  constructor(blockStrings: readonly string[]) {
    this.#blockStrings = blockStrings;
    this.#local = new Int32Array(blockStrings.length);
  }

  indices(column: Uint32Array): Int32Array {
    const out = new Int32Array(column.length);
    for (let row = 0; row < column.length; row++) {
      const string = column[row]!;
      if (this.#local[string] === 0) this.#local[string] = this.strings.push(this.#blockStrings[string]!);
      out[row] = this.#local[string]! - 1;
    }
    return out;
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
