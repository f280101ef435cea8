import type { Block, SeriesIndex } from './block.ts';
import { SERVICE_NAME } from './block.ts';
import { datasetKey } from './default-types.ts';
import type { SeriesWithStrings } from './batch-rows.ts';

/** The samples of one (profile type, service_name): neighbours in the block, one record batch on disk. */
export interface DatasetRange {
  readonly profileType: string;
  /** Empty when the series have no service_name. */
  readonly serviceName: string;
  readonly seriesStart: number;
  readonly seriesEnd: number;
  readonly sampleStart: number;
  readonly sampleEnd: number;
  /** Unix milliseconds, both inclusive; of a block without points, the block's start. */
  readonly timeMinMs: number;
  readonly timeMaxMs: number;
  /** Sum of the samples' totals, in row order. */
  readonly total: number;
  /** Bit k: there is a series of kind k; 0: all are rates. */
  readonly kinds: number;
  /** The longest duration of a profile among its rates; 0: all are instants. */
  readonly reachMs: number;
  /** Its profiles say that it is to be shown first. */
  readonly isDefault: boolean;
}

/** Datasets that have samples or profiles, in order. */
export function findDatasets(block: Block): DatasetRange[] {
  const { series, samples } = block;
  const datasets: DatasetRange[] = [];
  let sample = 0;
  for (let start = 0; start < series.length;) {
    const profileType = block.strings.at(series.profileType[start]!);
    const serviceName = serviceOf(block, start);
    let end = start + 1;
    while (
      end < series.length &&
      block.strings.at(series.profileType[end]!) === profileType &&
      serviceOf(block, end) === serviceName
    ) {
      end++;
    }
    const sampleStart = sample;
    while (sample < samples.length && samples.series[sample]! < end) sample++;
    const hasProfiles = series.profileStart[start] !== series.profileStart[end];
    if (sample > sampleStart || hasProfiles) {
      const range = { profileType, serviceName, seriesStart: start, seriesEnd: end };
      datasets.push({
        ...range,
        ...summarize(block, start, end, sampleStart, sample),
        ...meaningOf(block, start, end),
        isDefault: block.defaultTypes?.has(datasetKey(profileType, serviceName)) === true,
      });
    }
    start = end;
  }
  return datasets;
}

function meaningOf({ series }: Block, start: number, end: number): Pick<DatasetRange, 'kinds' | 'reachMs'> {
  let kinds = 0;
  let reachMs = 0;
  for (let row = start; row < end; row++) {
    const kind = series.kind[row]!;
    kinds |= 1 << kind;
    if (kind !== 0) continue;
    for (let at = series.profileStart[row]!; at < series.profileStart[row + 1]!; at++) {
      reachMs = Math.max(reachMs, series.profileDuration[at]!);
    }
  }
  return { kinds: kinds === 1 ? 0 : kinds, reachMs };
}

export function serviceOf({ series, strings }: SeriesWithStrings, row: SeriesIndex): string {
  for (let label = series.labelStart[row]!; label < series.labelStart[row + 1]!; label++) {
    if (strings.at(series.labelName[label]!) === SERVICE_NAME) return strings.at(series.labelValue[label]!);
  }
  return '';
}

function summarize(
  { samples, series, timeStartMs }: Block,
  seriesStart: number,
  seriesEnd: number,
  sampleStart: number,
  sampleEnd: number,
): Pick<DatasetRange, 'sampleStart' | 'sampleEnd' | 'timeMinMs' | 'timeMaxMs' | 'total'> {
  let total = 0;
  for (let row = sampleStart; row < sampleEnd; row++) total += samples.total[row]!;
  let min = 0xffff_ffff;
  let max = 0;
  const pointEnd = samples.pointStart[sampleEnd]!;
  for (let point = samples.pointStart[sampleStart]!; point < pointEnd; point++) {
    const time = samples.time[point]!;
    if (time < min) min = time;
    if (time > max) max = time;
  }
  // A snapshot in which there was nothing is one, too.
  for (let at = series.profileStart[seriesStart]!; at < series.profileStart[seriesEnd]!; at++) {
    min = Math.min(min, series.profileTime[at]!);
    max = Math.max(max, series.profileTime[at]!);
  }
  return {
    sampleStart,
    sampleEnd,
    timeMinMs: timeStartMs + Math.min(min, max),
    timeMaxMs: timeStartMs + max,
    total,
  };
}
