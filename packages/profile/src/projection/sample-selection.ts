import type { SeriesWithStrings } from '../block/batch-rows.ts';
import type { Block, SeriesIndex } from '../block/block.ts';
import { Durations, type TimeRangeMs } from '../meaning/spread.ts';
import type { Selector } from '../selector/selector.ts';

/** Which samples of a block count. */
export interface SampleSelection {
  /** One entry per series row: 1 when its samples count. */
  readonly series: Uint8Array;
  /**
   * Unix milliseconds, from inclusive, to exclusive: only points inside count, and of profiles that took time what lies
   * inside, so the block must have been read with points. Undefined: all of them, and totals are enough.
   */
  readonly timeRange?: TimeRangeMs | undefined;
}

/** Marks the series of a profile type, or of several that are one question, that a selector matches. Each value is matched once. */
export function selectSeries(
  block: Block,
  profileTypes: string | ReadonlySet<string>,
  selector: Selector,
): Uint8Array {
  const wanted = typeof profileTypes === 'string' ? new Set([profileTypes]) : profileTypes;
  const types = new Map<number, boolean>();
  const { series, strings } = block;
  const selected = new Uint8Array(series.length);
  for (let row = 0; row < series.length; row++) {
    const type = series.profileType[row]!;
    let is = types.get(type);
    if (is === undefined) types.set(type, (is = wanted.has(strings.at(type))));
    if (is) selected[row] = 1;
  }
  for (const matcher of selector.matchers) {
    const known = new Map<number, boolean>();
    for (let row = 0; row < series.length; row++) {
      if (selected[row] === 0) continue;
      const value = labelValueIndex(block, row, matcher.name);
      let matches = known.get(value);
      if (matches === undefined) {
        matches = matcher.matches(value < 0 ? '' : strings.at(value));
        known.set(value, matches);
      }
      if (!matches) selected[row] = 0;
    }
  }
  return selected;
}

/** String index of a series' label, -1 when it has none of that name. */
function labelValueIndex(block: Block, row: SeriesIndex, name: string): number {
  const { series, strings } = block;
  const end = series.labelStart[row + 1]!;
  for (let label = series.labelStart[row]!; label < end; label++) {
    if (strings.at(series.labelName[label]!) === name) return series.labelValue[label]!;
  }
  return -1;
}

/** Value of a series' label, "" when it has none of that name: to a selector that is the same. */
export function labelValue(block: Block, row: SeriesIndex, name: string): string {
  const value = labelValueIndex(block, row, name);
  return value < 0 ? '' : block.strings.at(value);
}

/** First sample row of each series row, and one more entry for the end: samples are sorted by series. */
export function sampleRanges(block: Block): Uint32Array {
  const { samples } = block;
  const ranges = new Uint32Array(block.series.length + 1);
  for (let row = 0; row < block.series.length; row++) {
    let low = ranges[row]!;
    let high = samples.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (samples.series[middle]! <= row) low = middle + 1;
      else high = middle;
    }
    ranges[row + 1] = low;
  }
  return ranges;
}

/** Marks the selected series that have a sample that counts: one entry per series row. */
export function seriesWithSamples(
  block: Block,
  { series: selected, timeRange }: SampleSelection,
): Uint8Array {
  const { pointStart, time } = block.samples;
  const ranges = sampleRanges(block);
  const from = (timeRange?.fromMs ?? 0) - block.timeStartMs;
  const to = (timeRange?.toMs ?? 0) - block.timeStartMs;
  const durations = new Durations(block);
  const found = new Uint8Array(block.series.length);
  for (let row = 0; row < found.length; row++) {
    const start = ranges[row]!;
    const end = ranges[row + 1]!;
    if (selected[row] === 0 || start === end) continue;
    if (timeRange === undefined) {
      found[row] = 1;
      continue;
    }
    // The points of consecutive rows are consecutive.
    for (let point = pointStart[start]!; point < pointStart[end]! && found[row] === 0; point++) {
      const reach = durations.has(row) ? Math.max(1, durations.of(row, time[point]!)) : 1;
      if (time[point]! + reach > from && time[point]! < to) found[row] = 1;
    }
  }
  return found;
}

/**
 * A number for a label set and profile type, equal in all blocks: two 32-bit hashes in the 53 bits of
 * an integer. A million series collide with a chance of 1 in 20,000; it is used for counting only.
 */
export function seriesFingerprint(block: SeriesWithStrings, row: SeriesIndex): number {
  const { series, strings } = block;
  let a = hashText(strings.at(series.profileType[row]!), 0x811c9dc5);
  let b = hashText(strings.at(series.profileType[row]!), 0x1b873593);
  for (let label = series.labelStart[row]!; label < series.labelStart[row + 1]!; label++) {
    const name = strings.at(series.labelName[label]!);
    const value = strings.at(series.labelValue[label]!);
    a = hashText(value, hashText(name, a) ^ 0x3d);
    b = hashText(value, hashText(name, b) ^ 0x3d);
  }
  return (a >>> 0) * 0x20_0000 + ((b ^ (b >>> 15)) & 0x1f_ffff);
}

function hashText(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Math.imul(hash ^ text.length, 0x85ebca6b);
}
