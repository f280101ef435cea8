/** The samples of a block: record batches of the chosen datasets, appended to one set of arrays. */
import { arrayOf, type ColumnArrays } from './arrow/columns.ts';
import { corrupt } from './arrow/corrupt.ts';
import { float64FromInt64 } from './arrow/int64.ts';
import type { MemoryBudget } from './arrow/memory-budget.ts';
import type { SampleTable } from './block.ts';

/** What a reader that covers a block's whole time needs of a sample. */
export const TOTALS_COLUMNS: ReadonlySet<string> = new Set(['series', 'stack_delta', 'total']);

interface Batch {
  readonly samples: ColumnArrays;
  readonly points: ColumnArrays | undefined;
}

export class SampleCollector {
  readonly #batches: Batch[] = [];
  readonly #budget: MemoryBudget;
  #rows = 0;
  #points = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Arrays of one dataset's batches; without points it adds totals only. */
  add(samples: ColumnArrays, points: ColumnArrays | undefined, field: string): void {
    this.#rows += arrayOf(samples, 'series', Uint32Array).length;
    if (points !== undefined) {
      const { length } = arrayOf(points, 'time_delta', Uint32Array);
      let counted = 0;
      for (const count of arrayOf(samples, 'points', Uint32Array)) counted += count;
      if (counted !== length) {
        throw corrupt(`${field}.points`, `its rows have ${counted} points, but ${length} are there`);
      }
      this.#points += length;
    }
    this.#batches.push({ samples, points });
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
    for (const batch of this.#batches) {
      const series = arrayOf(batch.samples, 'series', Uint32Array);
      samples.series.set(series, row);
      samples.stack.set(sumDeltas(arrayOf(batch.samples, 'stack_delta', Uint32Array)), row);
      samples.total.set(float64FromInt64(arrayOf(batch.samples, 'total', BigInt64Array)), row);
      if (batch.points !== undefined) {
        addPoints(samples, row, arrayOf(batch.samples, 'points', Uint32Array), batch.points);
      }
      row += series.length;
    }
    return samples;
  }
}

/** In place, modulo 2^32. */
function sumDeltas(deltas: Uint32Array): Uint32Array {
  for (let i = 1; i < deltas.length; i++) deltas[i] = deltas[i]! + deltas[i - 1]!;
  return deltas;
}

/** Points of the rows from `row` on, which have `counts` of them. */
function addPoints(samples: SampleTable, row: number, counts: Uint32Array, points: ColumnArrays): void {
  const { pointStart, time } = samples;
  const deltas = arrayOf(points, 'time_delta', Uint32Array);
  const first = pointStart[row]!;
  let point = first;
  let rowBefore = 0;
  for (let i = 0; i < counts.length; i++) {
    const end = point + counts[i]!;
    let before = rowBefore;
    if (point < end) rowBefore += deltas[point - first]!;
    for (; point < end; point++) {
      before += deltas[point - first]!;
      time[point] = before;
      before = time[point]!;
    }
    rowBefore >>>= 0;
    pointStart[row + i + 1] = end;
  }
  samples.value.set(readValues(points), first);
}

function readValues(points: ColumnArrays): Uint32Array | Float64Array {
  const values = points['value'];
  return values instanceof BigInt64Array ? float64FromInt64(values) : arrayOf(points, 'value', Uint32Array);
}
