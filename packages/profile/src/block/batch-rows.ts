/**
 * The samples of one batch over tables that it shares with others: what an open segment is made of. A batch
 * leaves nothing but these arrays, so one that is refused, or was stored before, is left out by leaving
 * them out; rows of the tables that nobody uses then are not written.
 */
import type { Block, SeriesTable } from './block.ts';
import { checkTimeSpan } from './block-builder.ts';
import { uniteDefaults, type DefaultTypes } from './default-types.ts';
import { giveBack } from './give-back.ts';
import { mergeBlocks, timeRangeOf } from './merge-blocks.ts';
import { assembleSamples, assembleSeries } from './tables/assemble-block.ts';
import { SERIES_HEAD, type InternedTables } from './tables/interned-tables.ts';
import { pickTables } from './tables/pick-tables.ts';
import { ProfileList } from './tables/profile-list.ts';
import { remapBlock } from './tables/remap-block.ts';

export interface BatchRows {
  readonly tables: InternedTables;
  /** Unix ms; the end is exclusive. */
  readonly timeStartMs: number;
  readonly timeEndMs: number;
  readonly losses: ReadonlyMap<string, number>;
  /** Rows of `tables`, one per (series, stack). */
  readonly series: Uint32Array;
  readonly stack: Uint32Array;
  /** Points of row i are pointStart[i] to pointStart[i+1], in any order. */
  readonly pointStart: Uint32Array;
  /** Ms since timeStartMs. */
  readonly time: Uint32Array;
  readonly value: Float64Array;
  /** What the series were taken from. */
  readonly profiles: ProfileList;
  /** As in Block. */
  readonly defaultTypes?: DefaultTypes | undefined;
}

/** What of a batch says whose it is; blocks are of this form, too. */
export interface SeriesWithStrings {
  readonly series: Pick<SeriesTable, 'length' | 'profileType' | 'labelStart' | 'labelName' | 'labelValue'>;
  readonly strings: { at(index: number): string };
}

/** The samples of a block that was read with its points. */
export function rowsOfBlock(tables: InternedTables, block: Block): BatchRows {
  const { samples, timeStartMs, timeEndMs, losses } = block;
  const profiles = new ProfileList();
  const map = remapBlock(tables, block, profiles);
  return {
    tables,
    timeStartMs,
    timeEndMs,
    losses,
    series: samples.series.map((row) => map.series[row]!),
    stack: samples.stack.map((row) => map.stack[row]!),
    pointStart: samples.pointStart,
    time: samples.time,
    value: samples.value,
    profiles,
    ...uniteDefaults([block]),
  };
}

/** The series of a batch, in no order, and their strings. */
export function seriesOfRows({ tables, series: used }: BatchRows): SeriesWithStrings {
  const { data, starts } = tables.seriesRows();
  const rows = [...new Set(used)];
  const labelStart = new Uint32Array(rows.length + 1);
  for (const [i, row] of rows.entries()) {
    labelStart[i + 1] = labelStart[i]! + (starts[row + 1]! - starts[row]! - SERIES_HEAD) / 2;
  }
  const labelName = new Uint32Array(labelStart[rows.length]!);
  const labelValue = new Uint32Array(labelName.length);
  let label = 0;
  for (const row of rows) {
    for (let at = starts[row]! + SERIES_HEAD; at < starts[row + 1]!; at += 2, label++) {
      labelName[label] = data[at]!;
      labelValue[label] = data[at + 1]!;
    }
  }
  const profileType = Uint32Array.from(rows, (row) => data[starts[row]!]!);
  return {
    series: { length: rows.length, profileType, labelStart, labelName, labelValue },
    strings: tables.strings,
  };
}

/** One block of some batches, equal to the merge of a block of each. */
export function mergeRows(batches: readonly BatchRows[]): Block {
  const byTables = Map.groupBy(batches, (batch) => batch.tables);
  const blocks = [...byTables].map(([tables, group]) => mergeGroup(tables, group));
  const [only] = blocks;
  return only !== undefined && blocks.length === 1 ? only : mergeBlocks(blocks);
}

function mergeGroup(tables: InternedTables, batches: readonly BatchRows[]): Block {
  const { startMs, endMs, losses } = timeRangeOf(batches);
  checkTimeSpan(startMs, endMs);
  let rows = 0;
  let points = 0;
  for (const batch of batches) {
    rows += batch.series.length;
    points += batch.time.length;
  }
  const series = new Uint32Array(rows);
  const stack = new Uint32Array(rows);
  const start = new Uint32Array(rows + 1);
  const time = new Uint32Array(points);
  const value = new Float64Array(points);
  const profiles = new ProfileList();
  let row = 0;
  let point = 0;
  for (const batch of batches) {
    profiles.addAll(batch.profiles);
    series.set(batch.series, row);
    stack.set(batch.stack, row);
    for (let i = 0; i < batch.series.length; i++) start[row + i + 1] = point + batch.pointStart[i + 1]!;
    const shift = batch.timeStartMs - startMs;
    for (let i = 0; i < batch.time.length; i++) time[point + i] = batch.time[i]! + shift;
    value.set(batch.value, point);
    row += batch.series.length;
    point += batch.time.length;
  }
  const { seriesTable, newRow } = assembleSeries(tables, series, profiles, startMs);
  const { stackMap, ...picked } = pickTables(tables, stack, seriesTable);
  for (let i = 0; i < rows; i++) {
    series[i] = newRow[series[i]!]!;
    stack[i] = stackMap[stack[i]!]!;
  }
  const samples = assembleSamples(
    { series, stack, total: new Float64Array(0), points: { start, time, value } },
    seriesTable.length,
    picked.stacks.length,
  );
  for (const array of [series, stack, start, time, value, stackMap, newRow]) giveBack(array);
  return {
    timeStartMs: startMs,
    timeEndMs: endMs,
    losses,
    samples,
    ...picked,
    ...uniteDefaults(batches),
  };
}
