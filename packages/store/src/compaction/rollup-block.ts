/**
 * A block with one point per so many ms, and without some labels: series that differ only in those become
 * one. Every integer is still there, in a coarser place. Points lie at the beginning of their cell, cells
 * at multiples of the resolution since 1970. What a series is decides how much of it can be made coarse:
 *
 *   rate         all of it; a profile counts in the cell in which it began
 *   gauge        values and profiles are counted per cell, but labels stay: a mean is of one series
 *   cumulative   nothing: differences are taken between neighbours, whatever lies between cells
 */
import {
  mergeBlocks,
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
  const samples = coarseSamples(block, startMs, cell);
  const series = coarseProfiles(
    withoutLabels(block.series, block.strings, new Set(dropLabels)),
    block.timeStartMs,
    startMs,
    cell,
  );
  // The merge makes one series, and one row, of what has become equal.
  return mergeBlocks([{ ...block, timeStartMs: startMs, series, samples }]);
}

function floor(timeMs: number, resolutionMs: number): number {
  return Math.floor(timeMs / resolutionMs) * resolutionMs;
}

type CellOf = (timeMs: number) => number;

/** Times in the result count from `startMs`. */
function coarseSamples(
  { samples, series, timeStartMs }: Block,
  startMs: number,
  cellOf: CellOf,
): SampleTable {
  const { pointStart, time, value } = samples;
  const out = {
    pointStart: new Uint32Array(samples.length + 1),
    time: new Uint32Array(time.length),
    value: new Float64Array(value.length),
  };
  let point = 0;
  for (let row = 0; row < samples.length; row++) {
    const begin = point;
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
