/**
 * A block with one point per so many ms, and without some labels: series that differ only in those become
 * one. Every integer is still there, in a coarser place. Points lie at the beginning of their cell, cells
 * at multiples of the resolution since 1970. What a series is decides how much of it can be made coarse:
 *
 *   rate         all of it; a profile that took time is spread over the cells that it reaches into
 *   gauge        values and profiles are counted per cell, but labels stay: a mean is of one series
 *   cumulative   nothing: differences are taken between neighbours, whatever lies between cells
 */
import {
  BLOCK_LIMITS,
  Durations,
  mergeBlocks,
  partBetween,
  selectProfiles,
  SERIES_KINDS,
  type Block,
  type SampleTable,
  type SeriesTable,
  type StringTable,
} from '@fleetflame/profile';

const RATE = SERIES_KINDS.indexOf('rate');
const GAUGE = SERIES_KINDS.indexOf('gauge');
const CUMULATIVE = SERIES_KINDS.indexOf('cumulative');

export interface RollupShape {
  readonly resolutionMs: number;
  readonly dropLabels: readonly string[];
}

export function rollUpBlock(block: Block, { resolutionMs, dropLabels }: RollupShape): Block {
  const startMs = floor(block.timeStartMs, resolutionMs);
  const cell = (timeMs: number): number => floor(timeMs, resolutionMs);
  const samples = coarseSamples(block, startMs, cell, resolutionMs);
  const series = coarseProfiles(
    withoutLabels(block.series, block.strings, new Set(dropLabels)),
    block.timeStartMs,
    startMs,
    cell,
  );
  // The merge makes one series, and one row, of what has become equal.
  return mergeBlocks([
    { ...block, timeStartMs: startMs, timeEndMs: endOf(block, startMs, samples), series, samples },
  ]);
}

function floor(timeMs: number, resolutionMs: number): number {
  return Math.floor(timeMs / resolutionMs) * resolutionMs;
}

type CellOf = (timeMs: number) => number;

/** Profiles may reach into cells that begin after the block's last sample. */
function endOf(block: Block, startMs: number, { time }: SampleTable): number {
  let endMs = block.timeEndMs;
  for (let at = 0; at < time.length; at++) endMs = Math.max(endMs, startMs + time[at]! + 1);
  return endMs;
}

/** Times in the result count from `startMs`. */
function coarseSamples(block: Block, startMs: number, cellOf: CellOf, resolutionMs: number): SampleTable {
  const { samples, series, timeStartMs } = block;
  const { pointStart, time, value } = samples;
  const durations = new Durations(block);
  let size = time.length;
  for (let at = 0; at < series.length; at++) if (durations.has(at)) size = 0;
  if (size === 0) size = spreadSize(block, durations, resolutionMs);
  const out = {
    pointStart: new Uint32Array(samples.length + 1),
    time: new Uint32Array(size),
    value: new Float64Array(size),
  };
  let point = 0;
  for (let row = 0; row < samples.length; row++) {
    const begin = point;
    if (durations.has(samples.series[row]!)) {
      for (const [cell, sum] of spreadRow(block, row, durations, cellOf, resolutionMs)) {
        out.time[point] = cell - startMs;
        out.value[point++] = sum;
      }
      out.pointStart[row + 1] = point;
      continue;
    }
    const coarse = series.kind[samples.series[row]!] !== CUMULATIVE;
    for (let at = pointStart[row]!; at < pointStart[row + 1]!; at++) {
      const timeMs = timeStartMs + time[at]!;
      const cell = (coarse ? cellOf(timeMs) : timeMs) - startMs;
      // Times ascend within a row: points of one cell are neighbours.
      if (point > begin && out.time[point - 1] === cell) out.value[point - 1]! += value[at]!;
      else {
        out.time[point] = cell;
        out.value[point] = value[at]!;
        point++;
      }
    }
    out.pointStart[row + 1] = point;
  }
  return {
    ...samples,
    pointStart: out.pointStart,
    time: out.time.slice(0, point),
    value: out.value.slice(0, point),
  };
}

/** Points at most: a profile of any duration reaches into one cell more than it is long. */
function spreadSize({ samples }: Block, durations: Durations, resolutionMs: number): number {
  let size = 0;
  for (let row = 0; row < samples.length; row++) {
    const points = samples.pointStart[row + 1]! - samples.pointStart[row]!;
    const cells = durations.has(samples.series[row]!)
      ? Math.ceil(BLOCK_LIMITS.profileDurationMs / resolutionMs) + 1
      : 1;
    size += points * cells;
  }
  return size;
}

/**
 * What of a row lies in each cell, by the rule of a question (meaning/spread.ts): parts of cells that touch add up to what
 * any range of whole cells has, to the last unit, and all of them to the row.
 */
function spreadRow(
  { samples, timeStartMs }: Block,
  row: number,
  durations: Durations,
  cellOf: CellOf,
  resolutionMs: number,
): (readonly [cellMs: number, sum: number])[] {
  const cells = new Map<number, number>();
  for (let at = samples.pointStart[row]!; at < samples.pointStart[row + 1]!; at++) {
    const timeMs = timeStartMs + samples.time[at]!;
    const durationMs = durations.of(samples.series[row]!, samples.time[at]!);
    const first = cellOf(timeMs);
    for (let cell = first; cell < timeMs + Math.max(1, durationMs); cell += resolutionMs) {
      const part = partBetween(samples.value[at]!, cell - timeMs, cell + resolutionMs - timeMs, durationMs);
      // A row has a point, also where its value is 0.
      if (part !== 0 || cell === first) cells.set(cell, (cells.get(cell) ?? 0) + part);
    }
  }
  const parts = [...cells].toSorted(([a], [b]) => a - b);
  const others = parts.filter(([, sum]) => sum !== 0);
  return others.length === 0 ? parts.slice(0, 1) : others;
}

/** Rates have no profiles any more; those of a gauge are moments at the beginning of their cells, which the merge counts. */
function coarseProfiles(series: SeriesTable, fromMs: number, startMs: number, cellOf: CellOf): SeriesTable {
  const { kind } = series;
  const kept = selectProfiles({ series }, (row) => kind[row] !== RATE);
  const profileTime = kept.profileTime.slice();
  const profileDuration = kept.profileDuration.slice();
  for (let row = 0; row < kept.length; row++) {
    for (let at = kept.profileStart[row]!; at < kept.profileStart[row + 1]!; at++) {
      const timeMs = fromMs + profileTime[at]!;
      profileTime[at] = (kind[row] === GAUGE ? cellOf(timeMs) : timeMs) - startMs;
      if (kind[row] === GAUGE) profileDuration[at] = 0;
    }
  }
  return { ...kept, profileTime, profileDuration };
}

function withoutLabels(series: SeriesTable, strings: StringTable, drop: ReadonlySet<string>): SeriesTable {
  const labelStart = new Uint32Array(series.length + 1);
  const labelName = new Uint32Array(series.labelName.length);
  const labelValue = new Uint32Array(series.labelValue.length);
  let label = 0;
  for (let row = 0; row < series.length; row++) {
    for (let at = series.labelStart[row]!; at < series.labelStart[row + 1]!; at++) {
      if (series.kind[row] === RATE && drop.has(strings.at(series.labelName[at]!))) continue;
      labelName[label] = series.labelName[at]!;
      labelValue[label] = series.labelValue[at]!;
      label++;
    }
    labelStart[row + 1] = label;
  }
  return {
    ...series,
    labelStart,
    labelName: labelName.slice(0, label),
    labelValue: labelValue.slice(0, label),
  };
}
