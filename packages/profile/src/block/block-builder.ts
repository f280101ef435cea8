/**
 * Builds a block row by row. Every table row is interned: asking for the same row again gives the
 * same index. Nothing is dropped but series without samples.
 *
 *   const builder = new BlockBuilder();
 *   const main = builder.function(builder.string('main'), 0, 0, 0);
 *   const stack = builder.stack(0, builder.location(0, 0, 0, [main, 0]));
 *   builder.add(builder.series('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 1e7, {}), stack, Date.now(), 1e7);
 *   const block = builder.build();
 */
import { FleetflameError } from '../errors.ts';
import type { BatchRows } from './batch-rows.ts';
import { assembleBlock } from './tables/assemble-block.ts';
import type {
  Block,
  FunctionIndex,
  LocationIndex,
  MappingIndex,
  MappingKind,
  SeriesIndex,
  SeriesKind,
  StackIndex,
  StringIndex,
} from './block.ts';
import { MAPPING_KINDS, SERIES_KINDS } from './block.ts';
import { compareStrings } from './tables/compare-strings.ts';
import { AddedPoints } from './tables/added-points.ts';
import {
  InternedTables,
  LINE_WORDS,
  LOCATION_HEAD,
  SERIES_HEAD,
  periodWords,
} from './tables/interned-tables.ts';
import { BLOCK_LIMITS } from './limits.ts';
import { ProfileList } from './tables/profile-list.ts';

export class BlockBuilder {
  readonly #tables: InternedTables;
  readonly #points: AddedPoints;
  readonly #losses = new Map<string, number>();
  readonly #profiles = new ProfileList();
  #scratch = new Uint32Array(64);

  /**
   * `tables`: such as others intern into, too; then `rows` is what is asked for, not `build`. `points`: empty ones,
   * which another builder may have used before.
   */
  constructor(tables = new InternedTables(), points = new AddedPoints()) {
    this.#tables = tables;
    this.#points = points;
  }

  /** Points added so far: what a caller bounds its memory by. */
  get points(): number {
    return this.#points.row.length;
  }

  /** Stacks of the tables, the root included. */
  get stackCount(): number {
    return this.#tables.stackCount;
  }

  string(text: string): StringIndex {
    return this.#tables.string(text);
  }

  /** The string whose UTF-8 bytes these are; -1: it is not there yet. */
  findString(bytes: Uint8Array, start: number, end: number): StringIndex {
    return this.#tables.strings.findBytes(bytes, start, end);
  }

  /** The function that is asked for next has this name. */
  expectFilename(name: StringIndex): void {
    this.#tables.expectFilename(name);
  }

  /** As `location`, from a row that the caller filled: mapping, address low, address high, lines. */
  locationRow(row: Uint32Array, size: number): LocationIndex {
    return this.#tables.location(row, size);
  }

  mapping(file: StringIndex, buildId: StringIndex, kind: MappingKind): MappingIndex {
    return this.#tables.mapping(file, buildId, MAPPING_KINDS.indexOf(kind));
  }

  function(
    name: StringIndex,
    systemName: StringIndex,
    filename: StringIndex,
    startLine: number,
  ): FunctionIndex {
    return this.#tables.function(name, systemName, filename, startLine);
  }

  /**
   * `lines`: function, line, function, line, ..., innermost inline first; none: not symbolized.
   * `columns`: one for each line, where they are known.
   */
  location(
    mapping: MappingIndex,
    addressLow: number,
    addressHigh: number,
    lines: ArrayLike<number>,
    columns?: ArrayLike<number>,
  ): LocationIndex {
    if (lines.length % 2 !== 0) {
      throw new FleetflameError('invalid_input', 'A location needs its lines in pairs: function, line.', {
        field: 'location.lines',
      });
    }
    const count = lines.length / 2;
    const size = LOCATION_HEAD + LINE_WORDS * count;
    const row = this.#row(size);
    row[0] = mapping;
    row[1] = addressLow;
    row[2] = addressHigh;
    for (let i = 0, at = LOCATION_HEAD; i < count; i++, at += LINE_WORDS) {
      row[at] = lines[2 * i]!;
      row[at + 1] = lines[2 * i + 1]!;
      row[at + 2] = columns?.[i] ?? 0;
    }
    return this.#tables.location(row, size);
  }

  /** The stack whose innermost frame is `location`, called from `parent` (0: the root). */
  stack(parent: StackIndex, location: LocationIndex): StackIndex {
    return this.#tables.stack(parent, location);
  }

  /** Labels in any order; one with an empty value is the same as none. `period` 0 is unknown. */
  series(
    profileType: string,
    period: number,
    labels: Readonly<Record<string, string>>,
    kind: SeriesKind = 'rate',
  ): SeriesIndex {
    if (!Number.isSafeInteger(period) || period < 0) {
      throw new FleetflameError('invalid_input', `A sampling period is an integer from 0, not ${period}.`, {
        field: 'series.period',
      });
    }
    const names = Object.keys(labels)
      .filter((name) => labels[name] !== '')
      .sort(compareStrings);
    const size = SERIES_HEAD + names.length * 2;
    const row = this.#row(size);
    row[0] = this.string(profileType);
    [row[1], row[2]] = periodWords(period);
    row[3] = SERIES_KINDS.indexOf(kind);
    for (const [i, name] of names.entries()) {
      row[SERIES_HEAD + 2 * i] = this.string(name);
      row[SERIES_HEAD + 2 * i + 1] = this.string(labels[name] ?? '');
    }
    return this.#tables.series(row, size);
  }

  /** `timeMs`: Unix milliseconds, in any order. Equal (series, stack, time) are summed; 0 adds nothing. */
  add(series: SeriesIndex, stack: StackIndex, timeMs: number, value: number): void {
    if (value === 0) return;
    // Beyond 2^53 a value is the nearest float64, which is an integer, too.
    if (
      !Number.isInteger(value) ||
      Math.abs(value) >= 2 ** 63 ||
      !Number.isSafeInteger(timeMs) ||
      timeMs < 0
    ) {
      throw new FleetflameError(
        'invalid_input',
        `A sample needs an integer value and a time in whole Unix milliseconds, not ${value} at ${timeMs}.`,
        { field: 'samples' },
      );
    }
    const { rows, row, time, value: values } = this.#points;
    row.push(rows.intern(series, stack));
    time.push(timeMs);
    values.push(value);
  }

  /**
   * A profile that the series was taken from: it began at `timeMs`, where its points lie, and took `durationMs`.
   * Gauges and cumulative series need one for each snapshot, also for those that a stack is missing from.
   */
  profile(series: SeriesIndex, timeMs: number, durationMs: number): void {
    if (!Number.isSafeInteger(timeMs) || timeMs < 0 || !isDuration(durationMs)) {
      throw new FleetflameError(
        'invalid_input',
        `A profile needs a time in whole Unix milliseconds and a duration of at most ${BLOCK_LIMITS.profileDurationMs} ms, not ${timeMs} and ${durationMs}.`,
        { field: 'series.profiles' },
      );
    }
    this.#profiles.add(series, timeMs, durationMs, 1);
  }

  /** Counts samples that were taken but could not be kept. */
  loss(cause: string, samples: number): void {
    if (samples !== 0) this.#losses.set(cause, (this.#losses.get(cause) ?? 0) + samples);
  }

  /** The canonical block; its start is the first sample's time, its end just after the last. */
  build(): Block {
    const { series, stack, pointStart: start, time, value, profiles, ...range } = this.rows();
    const rows = { series, stack, total: new Float64Array(0), points: { start, time, value }, profiles };
    return assembleBlock(this.#tables, rows, range.timeStartMs, range.timeEndMs, range.losses);
  }

  /** What was added, over the tables. */
  rows(): BatchRows {
    const times = this.#points.time.view();
    let first = Infinity;
    let last = -Infinity;
    for (let i = 0; i < times.length; i++) {
      if (times[i]! < first) first = times[i]!;
      if (times[i]! > last) last = times[i]!;
    }
    const profiles = this.#profiles.span();
    first = Math.min(first, profiles.firstMs);
    last = Math.max(last, profiles.lastMs);
    if (first === Infinity) {
      first = 0;
      last = -1;
    }
    checkTimeSpan(first, last + 1);
    const { start, time, value } = this.#groupedPoints(first);
    return {
      tables: this.#tables,
      timeStartMs: first,
      timeEndMs: last + 1,
      losses: new Map(this.#losses),
      series: this.#points.rows.column(0),
      stack: this.#points.rows.column(1),
      pointStart: start,
      time,
      value,
      profiles: this.#profiles,
    };
  }

  /** Points by row, in the order they were added. */
  #groupedPoints(startMs: number): { start: Uint32Array; time: Uint32Array; value: Float64Array } {
    const { rows } = this.#points;
    const pointRow = this.#points.row.view();
    const pointTime = this.#points.time.view();
    const pointValue = this.#points.value.view();
    const start = new Uint32Array(rows.length + 1);
    for (let i = 0; i < pointRow.length; i++) start[pointRow[i]! + 1]!++;
    for (let row = 0; row < rows.length; row++) start[row + 1]! += start[row]!;
    const next = start.slice();
    const time = new Uint32Array(pointRow.length);
    const value = new Float64Array(pointRow.length);
    for (let i = 0; i < pointRow.length; i++) {
      const at = next[pointRow[i]!]!++;
      time[at] = pointTime[i]! - startMs;
      value[at] = pointValue[i]!;
    }
    return { start, time, value };
  }

  #row(size: number): Uint32Array {
    if (size > this.#scratch.length) this.#scratch = new Uint32Array(size * 2);
    return this.#scratch;
  }
}

function isDuration(ms: number): boolean {
  return Number.isSafeInteger(ms) && ms >= 0 && ms <= BLOCK_LIMITS.profileDurationMs;
}

/** Sample times are u32 milliseconds from the block's start. */
export function checkTimeSpan(startMs: number, endMs: number): void {
  if (endMs - startMs <= BLOCK_LIMITS.timeSpanMs) return;
  throw new FleetflameError(
    'limit_exceeded',
    `A block spans at most ${BLOCK_LIMITS.timeSpanMs} ms (49 days), but these samples lie between ` +
      `${new Date(startMs).toISOString()} and ${new Date(endMs).toISOString()}: split them by time.`,
    { field: 'time_end_ms' },
  );
}
