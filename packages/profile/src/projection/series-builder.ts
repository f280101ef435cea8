import type { Block } from '../block/block.ts';
import { FleetflameError } from '../errors.ts';
import { Durations, partInRange } from '../meaning/spread.ts';
import { labelValue, sampleRanges, seriesFingerprint, type SampleSelection } from './sample-selection.ts';

/** Values of one combination of label values over time. */
export interface SeriesGroup {
  /** In the order of `groupBy`; "" where series have no such label. */
  readonly values: readonly string[];
  /** One sum per step. */
  readonly sums: Float64Array;
  readonly total: number;
  /** True for the sum of all groups beyond the limit. */
  readonly rest: boolean;
}

export interface SeriesOptions {
  /** Unix milliseconds: from inclusive, to exclusive. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Steps start at multiples of it; a value at t belongs to the step floor(t / stepMs) * stepMs. */
  readonly stepMs: number;
  readonly groupBy: readonly string[];
  /** Groups beyond it are refused: each holds one number per step. */
  readonly maxGroups: number;
}

const NO_SUMS = new Float64Array(0);

/** Sums values per step and group. Exact: every point counts in the step that holds it. */
export class SeriesBuilder {
  readonly timesMs: Float64Array;
  readonly #options: SeriesOptions;
  readonly #groups = new Map<string, { values: readonly string[]; sums: Float64Array }>();
  #totals: SeriesBuilder | undefined;

  constructor(options: SeriesOptions) {
    const { fromMs, toMs, stepMs } = options;
    this.#options = options;
    const first = Math.floor(fromMs / stepMs);
    const steps = Math.max(0, Math.ceil(toMs / stepMs) - first);
    this.timesMs = Float64Array.from({ length: steps }, (_, i) => (first + i) * stepMs);
  }

  /** True when all times from one to the other belong to one step that counts: totals are enough. */
  inOneStep(minMs: number, maxMs: number): boolean {
    const { fromMs, toMs, stepMs } = this.#options;
    return minMs >= fromMs && maxMs < toMs && Math.floor(minMs / stepMs) === Math.floor(maxMs / stepMs);
  }

  /** Adds a value at one time inside the range. */
  add(values: readonly string[], timeMs: number, value: number): void {
    const { sums } = this.#group(values);
    const step = Math.floor(timeMs / this.#options.stepMs) - this.#firstStep();
    sums[step] = sums[step]! + value;
  }

  /**
   * Adds the points inside the range of the selected series; the block must have points. With `atMs`,
   * a time inside the range, all totals count there and points are not needed: for blocks `inOneStep`.
   */
  addBlock(
    block: Block,
    selection: SampleSelection,
    atMs?: number,
  ): { readonly rows: number; readonly series: number[] } {
    const { samples } = block;
    const { fromMs, toMs, stepMs, groupBy } = this.#options;
    const ranges = sampleRanges(block);
    const { timeRange } = selection;
    const from = Math.max(fromMs, timeRange?.fromMs ?? fromMs) - block.timeStartMs;
    const to = Math.min(toMs, timeRange?.toMs ?? toMs) - block.timeStartMs;
    // Milliseconds from the first step to the block's start, so that the step is one division.
    const shift = block.timeStartMs - this.#firstStep() * stepMs;
    const durations = new Durations(block);
    const found: number[] = [];
    let rows = 0;
    for (let series = 0; series < block.series.length; series++) {
      const start = ranges[series]!;
      const end = ranges[series + 1]!;
      if (selection.series[series] === 0 || start === end) continue;
      rows += end - start;
      const { sums } = this.#group(groupBy.map((name) => labelValue(block, series, name)));
      if (atMs !== undefined) {
        const step = Math.floor(atMs / stepMs) - this.#firstStep();
        for (let row = start; row < end; row++) sums[step] = sums[step]! + samples.total[row]!;
        found.push(seriesFingerprint(block, series));
        continue;
      }
      if (durations.has(series)) {
        if (this.#addSpread(block, series, durations, selection, sums))
          found.push(seriesFingerprint(block, series));
        continue;
      }
      let counted = false;
      // The points of consecutive rows are consecutive.
      for (let point = samples.pointStart[start]!; point < samples.pointStart[end]!; point++) {
        const time = samples.time[point]!;
        if (time < from || time >= to) continue;
        const step = Math.floor((time + shift) / stepMs);
        sums[step] = sums[step]! + samples.value[point]!;
        counted = true;
      }
      if (counted) found.push(seriesFingerprint(block, series));
    }
    return { rows, series: found };
  }

  /** Points of profiles that take time, in all the steps that they reach into. */
  #addSpread(
    block: Block,
    series: number,
    durations: Durations,
    { timeRange }: SampleSelection,
    sums: Float64Array,
  ): boolean {
    const { samples } = block;
    const ranges = sampleRanges(block);
    const { fromMs, toMs, stepMs } = this.#options;
    const range = timeRange ?? this.#options;
    const first = this.#firstStep();
    let counted = false;
    const start = samples.pointStart[ranges[series]!]!;
    for (let point = start; point < samples.pointStart[ranges[series + 1]!]!; point++) {
      const time = samples.time[point]!;
      const timeMs = block.timeStartMs + time;
      const durationMs = durations.of(series, time);
      const from = Math.max(fromMs, range.fromMs, timeMs);
      const to = Math.min(toMs, range.toMs, timeMs + Math.max(1, durationMs));
      for (let stepFrom = from; stepFrom < to;) {
        const step = Math.floor(stepFrom / stepMs);
        const stepTo = Math.min(to, (step + 1) * stepMs);
        const inStep = { fromMs: stepFrom, toMs: stepTo };
        const part = partInRange(timeMs, samples.value[point]!, durationMs, inStep);
        sums[step - first] = sums[step - first]! + part;
        if (part !== 0) counted = true;
        stepFrom = stepTo;
      }
    }
    return counted;
  }

  /** Adds all groups of another builder with the same step, whose range lies inside this one. */
  addBuilder(other: SeriesBuilder): void {
    const offset = other.#firstStep() - this.#firstStep();
    for (const { values, sums: added } of other.#groups.values()) {
      const { sums } = this.#group(values);
      for (let step = 0; step < added.length; step++)
        sums[offset + step] = sums[offset + step]! + added[step]!;
    }
  }

  /** Totals of groups by another builder, of one step: those of values that do not add up over time, such as means. */
  takeTotals(totals: SeriesBuilder): void {
    this.#totals = totals;
  }

  /** Bytes that it holds, roughly. */
  get sizeBytes(): number {
    return 500 + this.timesMs.byteLength + this.#groups.size * (this.timesMs.byteLength + 300);
  }

  /** Largest total first, then by label values; groups that are 0 everywhere are left out. */
  finish(limit: number): SeriesGroup[] {
    const all: SeriesGroup[] = [];
    for (const [key, { values, sums }] of this.#groups) {
      let total = 0;
      const own = this.#totals === undefined ? sums : (this.#totals.#groups.get(key)?.sums ?? NO_SUMS);
      for (let i = 0; i < own.length; i++) total += own[i]!;
      if (total !== 0 || sums.some((sum) => sum !== 0)) all.push({ values, sums, total, rest: false });
    }
    all.sort((a, b) => b.total - a.total || (JSON.stringify(a.values) < JSON.stringify(b.values) ? -1 : 1));
    if (all.length <= limit) return all;
    const rest = new Float64Array(this.timesMs.length);
    let total = 0;
    for (const group of all.slice(limit)) {
      total += group.total;
      for (let i = 0; i < rest.length; i++) rest[i] = rest[i]! + group.sums[i]!;
    }
    return [...all.slice(0, limit), { values: [], sums: rest, total, rest: true }];
  }

  #firstStep(): number {
    return Math.floor(this.#options.fromMs / this.#options.stepMs);
  }

  #group(values: readonly string[]): { values: readonly string[]; sums: Float64Array } {
    const key = JSON.stringify(values);
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= this.#options.maxGroups) {
        throw new FleetflameError(
          'limit_exceeded',
          `There are more than ${this.#options.maxGroups} groups by ${this.#options.groupBy.join(', ')}. ` +
            'Group by fewer labels or narrow the selector.',
          { field: 'group_by' },
        );
      }
      group = { values, sums: new Float64Array(this.timesMs.length) };
      this.#groups.set(key, group);
    }
    return group;
  }
}
