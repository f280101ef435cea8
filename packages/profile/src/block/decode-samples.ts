/** The samples table: record batches of the chosen datasets, appended to one set of arrays. */
import type { Dataset } from '@fleetflame/proto/block/v1/footer';

import { arrayOf, type ColumnArrays } from './arrow/columns.ts';
import { corrupt } from './arrow/corrupt.ts';
import { float64FromInt64 } from './arrow/int64.ts';
import type { MemoryBudget } from './arrow/memory-budget.ts';
import type { BatchMessage } from './arrow/metadata.ts';
import type { SampleTable } from './block.ts';

/** What a reader that covers a block's whole time needs. */
export const TOTALS_COLUMNS: ReadonlySet<string> = new Set(['series', 'stack', 'total']);

/** The batch must be the one of the dataset: same rows, same labels in its metadata. */
export function checkSampleBatch(message: BatchMessage, dataset: Dataset, field: string): void {
  const expected: Readonly<Record<string, string>> = {
    profile_type: dataset.profileType,
    service_name: dataset.serviceName,
    rows: String(dataset.sampleCount),
    time_min_ms: String(dataset.timeMinMs),
    time_max_ms: String(dataset.timeMaxMs),
    total: String(dataset.total),
  };
  if (message.rows !== dataset.sampleCount) {
    throw corrupt(field, `it has ${message.rows} rows where the footer says ${dataset.sampleCount}`);
  }
  for (const [key, value] of Object.entries(expected)) {
    if (message.metadata.get(key) !== value) {
      throw corrupt(`${field}.${key}`, 'the batch and the footer do not agree');
    }
  }
}

export class SampleCollector {
  readonly #batches: ColumnArrays[] = [];
  readonly #budget: MemoryBudget;
  #rows = 0;
  #points = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Arrays of one batch; without `times` and `values` it adds totals only. */
  add(arrays: ColumnArrays, field: string): void {
    this.#rows += arrayOf(arrays, 'series', Uint32Array).length;
    if (hasPoints(arrays)) {
      const values = arrayOf(arrays, 'values', Int32Array);
      if (arrayOf(arrays, 'times', Int32Array).some((offset, row) => offset !== values[row])) {
        throw corrupt(`${field}.values`, 'rows must have as many values as times');
      }
      this.#points += arrayOf(arrays, 'times[]', Uint32Array).length;
    }
    this.#batches.push(arrays);
  }

  collect(): SampleTable {
    // series, stack, total and offset of a row; time and value of a point.
    this.#budget.take(20 * this.#rows + 12 * this.#points, 'samples');
    const samples = {
      length: this.#rows,
      series: new Uint32Array(this.#rows),
      stack: new Uint32Array(this.#rows),
      total: new Float64Array(this.#rows),
      pointStart: new Uint32Array(this.#rows + 1),
      time: new Uint32Array(this.#points),
      value: new Float64Array(this.#points),
    };
    let row = 0;
    let point = 0;
    for (const arrays of this.#batches) {
      const series = arrayOf(arrays, 'series', Uint32Array);
      samples.series.set(series, row);
      samples.stack.set(arrayOf(arrays, 'stack', Uint32Array), row);
      samples.total.set(float64FromInt64(arrayOf(arrays, 'total', BigInt64Array)), row);
      if (hasPoints(arrays)) {
        const offsets = arrayOf(arrays, 'times', Int32Array);
        for (let i = 1; i < offsets.length; i++) samples.pointStart[row + i] = point + offsets[i]!;
        const times = arrayOf(arrays, 'times[]', Uint32Array);
        samples.time.set(times, point);
        samples.value.set(readValues(arrays), point);
        point += times.length;
      }
      row += series.length;
    }
    return samples;
  }
}

function hasPoints(arrays: ColumnArrays): boolean {
  return arrays['times'] !== undefined;
}

function readValues(arrays: ColumnArrays): Uint32Array | Float64Array {
  const values = arrays['values[]'];
  return values instanceof BigInt64Array
    ? float64FromInt64(values)
    : arrayOf(arrays, 'values[]', Uint32Array);
}
