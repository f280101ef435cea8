/**
 * What the values of a block mean over some spans of time: means of gauges, increases of cumulative series, and what of
 * rates lies in each span. The answer is a block of rates, with one point per span at its beginning, that every
 * projection can sum. All profiles that count have to be in the block: a mean or a difference of a part is none.
 */
import { SERIES_KINDS, type Block, type SampleTable, type SeriesIndex } from '../block/block.ts';
import { FleetflameError } from '../errors.ts';
import { sampleRanges } from '../projection/sample-selection.ts';
import { ProfileSources } from './profile-sources.ts';
import { Durations, partBetween } from './spread.ts';

const GAUGE = SERIES_KINDS.indexOf('gauge');
const CUMULATIVE = SERIES_KINDS.indexOf('cumulative');

/** Rows of a cumulative series times its profiles: what is walked through for one answer, some seconds of work. */
export const MAX_CUMULATIVE_STEPS = 500e6;

/** `edges`: Unix ms, ascending; span i is [edges[i], edges[i + 1]). */
export function foldKinds(block: Block, edges: ArrayLike<number>): Block {
  const folding = new Folding(block, edges);
  for (let series = 0; series < block.series.length; series++) folding.series(series);
  return folding.block();
}

class Folding {
  readonly #block: Block;
  readonly #edges: ArrayLike<number>;
  readonly #spans: number;
  readonly #ranges: Uint32Array;
  readonly #durations: Durations;
  readonly #sources: ProfileSources;
  readonly #rows: number[] = [];
  readonly #span: number[] = [];
  readonly #value: number[] = [];
  #steps = 0;

  constructor(block: Block, edges: ArrayLike<number>) {
    this.#block = block;
    this.#edges = edges;
    this.#spans = edges.length - 1;
    this.#ranges = sampleRanges(block);
    this.#durations = new Durations(block);
    this.#sources = new ProfileSources(block);
  }

  series(series: SeriesIndex): void {
    const kind = this.#block.series.kind[series];
    if (kind === GAUGE) this.#gauge(series);
    else if (kind === CUMULATIVE) this.#cumulative(series);
    else this.#rate(series);
  }

  #gauge(series: SeriesIndex): void {
    const { series: table, timeStartMs } = this.#block;
    const profiles = new Float64Array(this.#spans);
    const source = this.#sources.of(series);
    for (let at = table.profileStart[source]!; at < table.profileStart[source + 1]!; at++) {
      const span = this.#spanOf(timeStartMs + table.profileTime[at]!);
      if (span >= 0) profiles[span] = profiles[span]! + table.profileCount[at]!;
    }
    this.#perRow(
      series,
      (timeMs, value, sums) => {
        const span = this.#spanOf(timeMs);
        if (span >= 0) sums[span] = sums[span]! + value;
      },
      (sum, span) => Math.round(sum / Math.max(1, profiles[span]!)),
    );
  }

  #rate(series: SeriesIndex): void {
    const { timeStartMs } = this.#block;
    const spread = this.#durations.has(series);
    this.#perRow(
      series,
      (timeMs, value, sums) => {
        const durationMs = spread ? this.#durations.of(series, timeMs - timeStartMs) : 0;
        for (let span = Math.max(0, this.#spanAtOrBefore(timeMs)); span < this.#spans; span++) {
          const from = this.#edges[span]! - timeMs;
          if (from >= Math.max(1, durationMs)) break;
          sums[span] = sums[span]! + partBetween(value, from, this.#edges[span + 1]! - timeMs, durationMs);
        }
      },
      (sum) => sum,
    );
  }

  #perRow(
    series: SeriesIndex,
    add: (timeMs: number, value: number, sums: Float64Array) => void,
    finish: (sum: number, span: number) => number,
  ): void {
    const { samples, timeStartMs } = this.#block;
    const sums = new Float64Array(this.#spans);
    for (let row = this.#ranges[series]!; row < this.#ranges[series + 1]!; row++) {
      sums.fill(0);
      for (let at = samples.pointStart[row]!; at < samples.pointStart[row + 1]!; at++) {
        add(timeStartMs + samples.time[at]!, samples.value[at]!, sums);
      }
      for (let span = 0; span < this.#spans; span++) {
        if (sums[span] !== 0) this.#push(row, span, finish(sums[span]!, span));
      }
    }
  }

  /**
   * Profile by profile. A stack that falls began anew, and then all that it has counts; when what fell was most of what
   * there was, so did the process, and with it every stack. The first profile is where counting begins; one that is
   * alone counts whole, as what there was since the process began.
   */
  #cumulative(series: SeriesIndex): void {
    const { samples, series: table, timeStartMs } = this.#block;
    const first = this.#ranges[series]!;
    const rows = this.#ranges[series + 1]! - first;
    const source = this.#sources.of(series);
    const profiles = table.profileTime.subarray(table.profileStart[source], table.profileStart[source + 1]);
    this.#steps += rows * profiles.length;
    if (this.#steps > MAX_CUMULATIVE_STEPS) {
      throw new FleetflameError(
        'limit_exceeded',
        `The increase of so many stacks in so many profiles takes more than ${MAX_CUMULATIVE_STEPS} steps: shorten the time range or narrow the selector.`,
        { field: 'scope' },
      );
    }
    const next = samples.pointStart.slice(first, first + rows);
    const before = new Float64Array(rows);
    const now = new Float64Array(rows);
    const sums = new Map<number, Float64Array>();
    let begun = false;
    for (const time of profiles) {
      let fallen = 0;
      let held = 0;
      for (let row = 0; row < rows; row++) {
        const at = next[row]!;
        const here = at < samples.pointStart[first + row + 1]! && samples.time[at] === time;
        now[row] = here ? samples.value[at]! : 0;
        if (here) next[row] = at + 1;
        held += before[row]!;
        if (now[row]! < before[row]!) fallen += before[row]!;
      }
      // A stack that a profile lacks is no restart of all the others.
      const restarted = fallen > held / 2;
      const span = this.#spanOf(timeStartMs + time);
      if ((begun || profiles.length === 1) && span >= 0) {
        let increase = sums.get(span);
        if (increase === undefined) sums.set(span, (increase = new Float64Array(rows)));
        for (let row = 0; row < rows; row++) {
          const begins = restarted || now[row]! < before[row]!;
          increase[row] = increase[row]! + now[row]! - (begins ? 0 : before[row]!);
        }
      }
      begun = true;
      before.set(now);
    }
    for (const [span, increase] of sums) {
      for (let row = 0; row < rows; row++) {
        if (increase[row] !== 0) this.#push(first + row, span, increase[row]!);
      }
    }
  }

  #push(row: number, span: number, value: number): void {
    if (value === 0) return;
    this.#rows.push(row);
    this.#span.push(span);
    this.#value.push(value);
  }

  /** -1: in none. */
  #spanOf(timeMs: number): number {
    const span = this.#spanAtOrBefore(timeMs);
    return span < this.#spans ? span : -1;
  }

  /** The last edge that is not after the time; -1: it is before all. */
  #spanAtOrBefore(timeMs: number): number {
    let low = 0;
    let high = this.#edges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#edges[middle]! <= timeMs) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  block(): Block {
    const { samples, series } = this.#block;
    const startMs = this.#edges[0] ?? 0;
    const order = Uint32Array.from(this.#rows.keys()).sort(
      (a, b) => this.#rows[a]! - this.#rows[b]! || this.#span[a]! - this.#span[b]!,
    );
    const kept = [...new Set(Array.from(order, (at) => this.#rows[at]!))];
    const out: SampleTable = {
      length: kept.length,
      series: Uint32Array.from(kept, (row) => samples.series[row]!),
      stack: Uint32Array.from(kept, (row) => samples.stack[row]!),
      total: new Float64Array(kept.length),
      pointStart: new Uint32Array(kept.length + 1),
      time: Uint32Array.from(order, (at) => this.#edges[this.#span[at]!]! - startMs),
      value: Float64Array.from(order, (at) => this.#value[at]!),
    };
    let row = -1;
    for (const [point, at] of order.entries()) {
      if (row < 0 || kept[row] !== this.#rows[at]) row++;
      out.total[row] = out.total[row]! + this.#value[at]!;
      out.pointStart[row + 1] = point + 1;
    }
    const none = new Uint32Array(0);
    return {
      ...this.#block,
      timeStartMs: startMs,
      timeEndMs: Math.max(startMs + 1, this.#edges[this.#spans] ?? 0),
      samples: out,
      series: {
        ...series,
        kind: new Uint8Array(series.length),
        profileStart: new Uint32Array(series.length + 1),
        profileTime: none,
        profileDuration: none,
        profileCount: none,
      },
    };
  }
}
