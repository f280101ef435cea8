/**
 * First half of every stack projection: the samples that count, summed per (group, stack). What comes
 * after (names, trees) works on stacks, of which there are far fewer than rows.
 */
import type { Block } from '../block/block.ts';
import { Durations, partInRange, type TimeRangeMs } from '../meaning/spread.ts';
import { bucketName, labelBucket } from './label-bucket.ts';
import { labelValue, sampleRanges, seriesFingerprint, type SampleSelection } from './sample-selection.ts';

/** The stacks of one combination of group-by label values. */
export interface GroupSums {
  /** Values of the group-by labels, "" where a series has none. */
  readonly values: readonly string[];
  /** Stacks with a sum that is not 0, each once. */
  readonly stacks: Uint32Array;
  readonly sums: Float64Array;
}

export interface StackSums {
  readonly groups: readonly GroupSums[];
  readonly total: number;
  /** Sample rows looked at. */
  readonly rows: number;
  /** Fingerprints of the series that have a sample that counts. */
  readonly series: Float64Array;
  /** Sampling period of these series: the one they share, 0 when they differ or have none. */
  readonly period: number;
}

/** `buckets`: values of the group-by labels are put into so many buckets; 0: groups are by value. */
export function sumStacks(
  block: Block,
  selection: SampleSelection,
  groupBy: readonly string[],
  buckets = 0,
): StackSums {
  const valueOf = (row: number, name: string): string => {
    const value = labelValue(block, row, name);
    return buckets === 0 || value === '' ? value : bucketName(labelBucket(value, buckets));
  };
  const ranges = sampleRanges(block);
  const members = new Map<string, number[]>();
  for (let row = 0; row < block.series.length; row++) {
    if (selection.series[row] === 0 || ranges[row] === ranges[row + 1]) continue;
    const key = JSON.stringify(groupBy.map((name) => valueOf(row, name)));
    const group = members.get(key);
    if (group === undefined) members.set(key, [row]);
    else group.push(row);
  }
  // One dense accumulator for all groups: each leaves it at zero.
  const durations = new Durations(block);
  const dense = new Float64Array(block.stacks.length);
  const groups: GroupSums[] = [];
  const found: number[] = [];
  let total = 0;
  let rows = 0;
  let period: number | undefined;
  for (const group of members.values()) {
    let groupRows = 0;
    for (const series of group) {
      const start = ranges[series]!;
      const end = ranges[series + 1]!;
      const counted =
        selection.timeRange !== undefined && durations.has(series)
          ? addSpread(block, series, durations, selection.timeRange, dense)
          : addRows(block, start, end, selection.timeRange, dense);
      groupRows += end - start;
      if (!counted) continue;
      found.push(seriesFingerprint(block, series));
      const own = block.series.period[series]!;
      period = period === undefined || period === own ? own : 0;
    }
    rows += groupRows;
    const sums = groupRows < block.stacks.length ? gather(block, group, ranges, dense) : sweep(dense);
    if (sums.stacks.length === 0) continue;
    for (let i = 0; i < sums.sums.length; i++) total += sums.sums[i]!;
    groups.push({ values: groupBy.map((name) => valueOf(group[0]!, name)), ...sums });
  }
  return { groups, total, rows, series: Float64Array.from(found), period: period ?? 0 };
}

/** Adds the rows to the accumulator; false when none of them counts. */
function addRows(
  block: Block,
  start: number,
  end: number,
  timeRange: SampleSelection['timeRange'],
  dense: Float64Array,
): boolean {
  const { stack, total, pointStart, time, value } = block.samples;
  if (timeRange === undefined) {
    for (let row = start; row < end; row++) {
      const s = stack[row]!;
      dense[s] = dense[s]! + total[row]!;
    }
    return end > start;
  }
  const from = timeRange.fromMs - block.timeStartMs;
  const to = timeRange.toMs - block.timeStartMs;
  let counted = false;
  for (let row = start; row < end; row++) {
    let sum = 0;
    for (let point = pointStart[row]!; point < pointStart[row + 1]!; point++) {
      const t = time[point]!;
      if (t >= to) break;
      if (t < from) continue;
      sum += value[point]!;
      counted = true;
    }
    const s = stack[row]!;
    dense[s] = dense[s]! + sum;
  }
  return counted;
}

/** As `addRows`, of a series whose profiles take time: what of them lies in the range. */
function addSpread(
  block: Block,
  series: number,
  durations: Durations,
  timeRange: TimeRangeMs,
  dense: Float64Array,
): boolean {
  const { stack, pointStart, time, value } = block.samples;
  const ranges = sampleRanges(block);
  let counted = false;
  for (let row = ranges[series]!; row < ranges[series + 1]!; row++) {
    let sum = 0;
    for (let point = pointStart[row]!; point < pointStart[row + 1]!; point++) {
      const durationMs = durations.of(series, time[point]!);
      const part = partInRange(block.timeStartMs + time[point]!, value[point]!, durationMs, timeRange);
      sum += part;
      if (part !== 0) counted = true;
    }
    const s = stack[row]!;
    dense[s] = dense[s]! + sum;
  }
  return counted;
}

interface Gathered {
  readonly stacks: Uint32Array;
  readonly sums: Float64Array;
}

/** Few rows: visits the stacks of the rows; the first visit takes the sum and leaves 0. */
function gather(block: Block, group: readonly number[], ranges: Uint32Array, dense: Float64Array): Gathered {
  const stack = block.samples.stack;
  let capacity = 0;
  for (const series of group) capacity += ranges[series + 1]! - ranges[series]!;
  const stacks = new Uint32Array(capacity);
  const sums = new Float64Array(capacity);
  let count = 0;
  for (const series of group) {
    for (let row = ranges[series]!; row < ranges[series + 1]!; row++) {
      const s = stack[row]!;
      const sum = dense[s]!;
      if (sum === 0) continue;
      dense[s] = 0;
      stacks[count] = s;
      sums[count] = sum;
      count++;
    }
  }
  return { stacks: stacks.subarray(0, count), sums: sums.subarray(0, count) };
}

/** Many rows: visits all stacks. */
function sweep(dense: Float64Array): Gathered {
  let count = 0;
  for (let s = 0; s < dense.length; s++) if (dense[s] !== 0) count++;
  const stacks = new Uint32Array(count);
  const sums = new Float64Array(count);
  let next = 0;
  for (let s = 0; s < dense.length; s++) {
    if (dense[s] === 0) continue;
    stacks[next] = s;
    sums[next] = dense[s]!;
    next++;
    dense[s] = 0;
  }
  return { stacks, sums };
}

/** Marks the stacks with a sum and all their ancestors: one entry per stack row. */
export function touchedStacks(block: Block, sums: StackSums): Uint8Array {
  const touched = new Uint8Array(block.stacks.length);
  const parent = block.stacks.parent;
  for (const group of sums.groups) {
    for (const stack of group.stacks) {
      for (let s = stack; s !== 0 && touched[s] === 0; s = parent[s]!) touched[s] = 1;
    }
  }
  return touched;
}
