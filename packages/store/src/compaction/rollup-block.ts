/**
 * A block with one point per so many ms, and without some labels: series that differ only in those become
 * one. Every integer is still there, in a coarser place. Points lie at the beginning of their cell, cells
 * at multiples of the resolution since 1970.
 */
import {
  mergeBlocks,
  type Block,
  type SampleTable,
  type SeriesTable,
  type StringTable,
} from '@fleetflame/profile';

export interface RollupShape {
  readonly resolutionMs: number;
  readonly dropLabels: readonly string[];
}

export function rollUpBlock(block: Block, { resolutionMs, dropLabels }: RollupShape): Block {
  const startMs = floor(block.timeStartMs, resolutionMs);
  const samples = coarseSamples(block.samples, block.timeStartMs, startMs, resolutionMs);
  const series = withoutLabels(block.series, block.strings, new Set(dropLabels));
  // The merge makes one series, and one row, of what has become equal.
  return mergeBlocks([{ ...block, timeStartMs: startMs, series, samples }]);
}

function floor(timeMs: number, resolutionMs: number): number {
  return Math.floor(timeMs / resolutionMs) * resolutionMs;
}

function coarseSamples(
  samples: SampleTable,
  fromMs: number,
  startMs: number,
  resolutionMs: number,
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
    for (let at = pointStart[row]!; at < pointStart[row + 1]!; at++) {
      const cell = floor(fromMs + time[at]!, resolutionMs) - startMs;
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

function withoutLabels(series: SeriesTable, strings: StringTable, drop: ReadonlySet<string>): SeriesTable {
  const labelStart = new Uint32Array(series.length + 1);
  const labelName = new Uint32Array(series.labelName.length);
  const labelValue = new Uint32Array(series.labelValue.length);
  let label = 0;
  for (let row = 0; row < series.length; row++) {
    for (let at = series.labelStart[row]!; at < series.labelStart[row + 1]!; at++) {
      if (drop.has(strings.at(series.labelName[at]!))) continue;
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
