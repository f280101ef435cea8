/**
 * Turns interned tables and unordered sample rows into a canonical block. The rows may name one
 * (series, stack) several times and hold their points in any order.
 *
 * Rows are brought into order by two counting sorts, by stack and then by series: two linear passes
 * with no comparisons and no hash lookups. Equal rows are then neighbours, and their points are
 * concatenated, sorted only where they are out of order, and summed where times are equal.
 */
import type { Block, SampleTable, SeriesTable } from '../block.ts';
import { giveBack } from '../give-back.ts';
import { SERIES_HEAD, periodFromWords, type InternedTables } from './interned-tables.ts';
import { orderSeries } from './order-series.ts';
import type { ProfileList } from './profile-list.ts';
import { sortPoints } from './sort-points.ts';

/** Rows in any order. `series` and `stack` are rows of the interned tables. */
export interface SampleRows {
  readonly series: Uint32Array;
  readonly stack: Uint32Array;
  /** Sums of values; used only without points. */
  readonly total: Float64Array;
  /** Points of row i are pointStart[i] to pointStart[i+1]; undefined: rows have totals only. */
  readonly points:
    | { readonly start: Uint32Array; readonly time: Uint32Array; readonly value: Float64Array }
    | undefined;
}

export function assembleBlock(
  tables: InternedTables,
  rows: SampleRows & { readonly profiles: ProfileList },
  timeStartMs: number,
  timeEndMs: number,
  losses: ReadonlyMap<string, number>,
): Block {
  const { seriesTable, newRow } = assembleSeries(tables, rows.series, rows.profiles, timeStartMs);
  const series = new Uint32Array(rows.series.length);
  for (let i = 0; i < series.length; i++) series[i] = newRow[rows.series[i]!]!;
  const samples = assembleSamples({ ...rows, series }, seriesTable.length, tables.stackCount);
  return {
    timeStartMs,
    timeEndMs,
    strings: tables.strings.table(),
    series: seriesTable,
    samples,
    stacks: tables.stackTable(),
    locations: tables.locationTable(),
    functions: tables.functionTable(),
    mappings: tables.mappingTable(),
    losses,
  };
}

/** `rows` with rows of the block's own tables, which have so many series and stacks. */
export function assembleSamples(rows: SampleRows, seriesCount: number, stackCount: number): SampleTable {
  const { series, stack, total, points } = rows;
  const byStack = countingSort(undefined, stack, stackCount);
  const order = countingSort(byStack, series, seriesCount);
  const samples =
    points === undefined
      ? groupTotals(order, series, stack, total)
      : groupPoints(order, series, stack, points);
  giveBack(byStack);
  giveBack(order);
  return samples;
}

/** Series that have samples or profiles, in order; `newRow` maps the interned rows to them. */
export function assembleSeries(
  tables: InternedTables,
  used: Uint32Array,
  profiles: ProfileList,
  timeStartMs: number,
): { seriesTable: SeriesTable; newRow: Uint32Array } {
  const { data, starts } = tables.seriesRows();
  const seen = new Uint8Array(tables.seriesCount);
  for (let i = 0; i < used.length; i++) seen[used[i]!] = 1;
  profiles.mark(seen);
  const order = orderSeries(tables.strings, data, starts, seen);
  const newRow = new Uint32Array(tables.seriesCount);
  const profileType = new Uint32Array(order.length);
  const period = new Float64Array(order.length);
  const kind = new Uint8Array(order.length);
  const labelStart = new Uint32Array(order.length + 1);
  for (let row = 0; row < order.length; row++) {
    const old = order[row]!;
    const start = starts[old]!;
    newRow[old] = row;
    profileType[row] = data[start]!;
    period[row] = periodFromWords(data[start + 1]!, data[start + 2]!);
    kind[row] = data[start + 3]!;
    labelStart[row + 1] = labelStart[row]! + (starts[old + 1]! - start - SERIES_HEAD) / 2;
  }
  const labelName = new Uint32Array(labelStart[order.length]!);
  const labelValue = new Uint32Array(labelName.length);
  for (let row = 0, label = 0; row < order.length; row++) {
    const old = order[row]!;
    for (let at = starts[old]! + SERIES_HEAD; at < starts[old + 1]!; at += 2, label++) {
      labelName[label] = data[at]!;
      labelValue[label] = data[at + 1]!;
    }
  }
  return {
    seriesTable: {
      length: order.length,
      profileType,
      period,
      labelStart,
      labelName,
      labelValue,
      kind,
      ...profiles.columns(newRow, order.length, timeStartMs),
    },
    newRow,
  };
}

/** Stable: positions in ascending order of their key; `from` undefined means 0, 1, 2, ... */
function countingSort(from: Uint32Array | undefined, keys: Uint32Array, keyCount: number): Uint32Array {
  const next = new Uint32Array(keyCount + 1);
  for (let i = 0; i < keys.length; i++) next[keys[i]! + 1]!++;
  for (let key = 0; key < keyCount; key++) next[key + 1]! += next[key]!;
  const out = new Uint32Array(keys.length);
  for (let i = 0; i < out.length; i++) {
    const position = from === undefined ? i : from[i]!;
    out[next[keys[position]!]!++] = position;
  }
  giveBack(next);
  return out;
}

function countGroups(order: Uint32Array, series: Uint32Array, stack: Uint32Array): number {
  let groups = 0;
  for (let i = 0; i < order.length; i++) if (startsGroup(order, i, series, stack)) groups++;
  return groups;
}

function startsGroup(order: Uint32Array, i: number, series: Uint32Array, stack: Uint32Array): boolean {
  if (i === 0) return true;
  const row = order[i]!;
  const before = order[i - 1]!;
  return stack[row] !== stack[before] || series[row] !== series[before];
}

function groupTotals(
  order: Uint32Array,
  series: Uint32Array,
  stack: Uint32Array,
  total: Float64Array,
): SampleTable {
  const length = countGroups(order, series, stack);
  const out = emptySamples(length, 0);
  let row = -1;
  for (let i = 0; i < order.length; i++) {
    const from = order[i]!;
    if (startsGroup(order, i, series, stack)) {
      row++;
      out.series[row] = series[from]!;
      out.stack[row] = stack[from]!;
    }
    out.total[row]! += total[from]!;
  }
  return out;
}

function groupPoints(
  order: Uint32Array,
  series: Uint32Array,
  stack: Uint32Array,
  points: NonNullable<SampleRows['points']>,
): SampleTable {
  const length = countGroups(order, series, stack);
  const out = emptySamples(length, points.time.length);
  const { time, value, pointStart } = out;
  const { start: fromStart, time: fromTime, value: fromValue } = points;
  let row = -1;
  let groupStart = 0;
  let end = 0;
  let sorted = true;
  for (let i = 0; i < order.length; i++) {
    const from = order[i]!;
    if (startsGroup(order, i, series, stack)) {
      if (!sorted) end = sortPoints(time, value, groupStart, end);
      sorted = true;
      groupStart = end;
      row++;
      pointStart[row] = end;
      out.series[row] = series[from]!;
      out.stack[row] = stack[from]!;
    }
    for (let point = fromStart[from]!; point < fromStart[from + 1]!; point++) {
      const at = fromTime[point]!;
      if (end > groupStart && at <= time[end - 1]!) sorted = false;
      time[end] = at;
      value[end++] = fromValue[point]!;
    }
  }
  if (!sorted) end = sortPoints(time, value, groupStart, end);
  pointStart[length] = end;
  sumTotals(out.total, pointStart, value);
  // Summed points leave room at the end: copy rather than keep it alive.
  return end === time.length ? out : { ...out, time: time.slice(0, end), value: value.slice(0, end) };
}

function sumTotals(total: Float64Array, pointStart: Uint32Array, value: Float64Array): void {
  for (let row = 0; row < total.length; row++) {
    let sum = 0;
    for (let point = pointStart[row]!; point < pointStart[row + 1]!; point++) sum += value[point]!;
    total[row] = sum;
  }
}

function emptySamples(length: number, points: number): SampleTable {
  return {
    length,
    series: new Uint32Array(length),
    stack: new Uint32Array(length),
    total: new Float64Array(length),
    pointStart: new Uint32Array(length + 1),
    time: new Uint32Array(points),
    value: new Float64Array(points),
  };
}
