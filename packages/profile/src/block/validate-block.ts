/**
 * Checks everything that the rest of the code relies on without looking: array sizes, every index,
 * orders, sums. Linear in the block, no allocation but one array of stack depths.
 */
import { FleetflameError, type ErrorCode } from '../errors.ts';
import type { Block } from './block.ts';
import { MAPPING_KINDS, SERIES_KINDS } from './block.ts';
import { serviceOf } from './datasets.ts';
import { BLOCK_LIMITS, type BlockLimits } from './limits.ts';
import { compareStrings } from './tables/compare-strings.ts';

export interface ValidateBlockOptions {
  /** False for a block that was read without its points. Default true. */
  readonly points?: boolean;
  readonly limits?: BlockLimits;
  /** What a violation is: invalid_input for a caller's block (default), corrupt_data for a stored one. */
  readonly code?: ErrorCode;
}

export function validateBlock(block: Block, options: ValidateBlockOptions = {}): void {
  const check = new BlockCheck(
    block,
    options.points ?? true,
    options.limits ?? BLOCK_LIMITS,
    options.code ?? 'invalid_input',
  );
  check.header();
  check.mappings();
  check.functions();
  check.locations();
  check.stacks();
  check.series();
  check.samples();
}

/** Largest magnitude of an int64 that a float64 holds. */
const INT64_MAX = 2 ** 63 - 1024;

class BlockCheck {
  readonly #block: Block;
  readonly #points: boolean;
  readonly #limits: BlockLimits;
  readonly #code: ErrorCode;

  constructor(block: Block, points: boolean, limits: BlockLimits, code: ErrorCode) {
    this.#block = block;
    this.#points = points;
    this.#limits = limits;
    this.#code = code;
  }

  header(): void {
    const { timeStartMs, timeEndMs, strings, losses } = this.#block;
    if (!isCount(timeStartMs)) this.#fail('time_start_ms', `${timeStartMs} is not a time in Unix ms`);
    if (!isCount(timeEndMs) || timeEndMs < timeStartMs) {
      this.#fail('time_end_ms', `${timeEndMs} is not a time after the start, ${timeStartMs}`);
    }
    this.#limit('timeSpanMs', timeEndMs - timeStartMs, 'time_end_ms');
    if (strings.length === 0 || strings.byteLength(0) !== 0)
      this.#fail('strings[0]', 'it must be the empty string');
    this.#limit('rows', strings.length, 'strings');
    for (let i = 0; i < strings.length; i++) {
      // Never fewer bytes than UTF-16 units.
      if (strings.byteLength(i) > this.#limits.stringLength) {
        this.#limit('stringLength', strings.at(i).length, `strings[${i}]`);
      }
    }
    this.#limit('lossCauses', losses.size, 'losses');
    for (const [cause, samples] of losses) {
      if (cause === '' || !isCount(samples) || samples === 0) {
        this.#fail('losses', `"${cause}" counts ${samples}: it needs a name and a positive integer`);
      }
    }
  }

  mappings(): void {
    const { mappings } = this.#block;
    const { length, file, buildId, kind } = mappings;
    this.#rows('mappings', length);
    this.#sizes('mappings', length, { file, build_id: buildId, kind });
    this.#indices('mappings.file', file, this.#block.strings.length);
    this.#indices('mappings.build_id', buildId, this.#block.strings.length);
    this.#indices('mappings.kind', kind, MAPPING_KINDS.length);
    if (length === 0 || file[0] !== 0 || buildId[0] !== 0 || kind[0] !== 0) {
      this.#fail('mappings[0]', 'it must be "no mapping": no file, no build id, kind unknown');
    }
  }

  functions(): void {
    const { length, name, systemName, filename, startLine } = this.#block.functions;
    this.#rows('functions', length);
    this.#sizes('functions', length, { name, system_name: systemName, filename, start_line: startLine });
    this.#indices('functions.name', name, this.#block.strings.length);
    this.#indices('functions.system_name', systemName, this.#block.strings.length);
    this.#indices('functions.filename', filename, this.#block.strings.length);
  }

  locations(): void {
    const { length, mapping, address, lineStart, lineFunction, lineNumber, lineColumn } =
      this.#block.locations;
    this.#rows('locations', length);
    this.#sizes('locations', length, { mapping, address });
    this.#starts('locations.lines', lineStart, length, lineFunction.length);
    this.#sizes('locations.lines', lineFunction.length, { line: lineNumber, column: lineColumn });
    this.#indices('locations.mapping', mapping, this.#block.mappings.length);
    this.#indices('locations.lines.function', lineFunction, this.#block.functions.length);
  }

  stacks(): void {
    const { length, parent, location } = this.#block.stacks;
    this.#rows('stacks', length);
    this.#sizes('stacks', length, { parent, location });
    if (length === 0 || parent[0] !== 0) this.#fail('stacks[0]', 'it must be the root, its own parent');
    const locations = this.#block.locations.length;
    const maxDepth = this.#limits.stackDepth;
    const depth = new Uint32Array(length);
    for (let row = 1; row < length; row++) {
      const up = parent[row]!;
      if (up >= row) this.#fail(`stacks[${row}].parent`, `${up} is not an earlier row`);
      if (location[row]! >= locations) {
        this.#fail(`stacks[${row}].location`, `${location[row]} is not below ${locations}`);
      }
      depth[row] = depth[up]! + 1;
      if (depth[row]! > maxDepth) this.#limit('stackDepth', depth[row]!, `stacks[${row}]`);
    }
  }

  series(): void {
    const { series, strings } = this.#block;
    const { length, profileType, period, labelStart, labelName, labelValue } = series;
    this.#rows('series', length);
    this.#sizes('series', length, { profile_type: profileType, period });
    this.#starts('series.labels', labelStart, length, labelName.length);
    this.#sizes('series.labels', labelName.length, { value: labelValue });
    this.#indices('series.profile_type', profileType, strings.length);
    this.#indices('series.labels.name', labelName, strings.length);
    this.#indices('series.labels.value', labelValue, strings.length);
    for (let row = 0; row < length; row++) {
      if (!isCount(period[row]!)) this.#fail(`series[${row}].period`, 'it is not an integer from 0');
      this.#labels(row);
      if (row > 0 && compareSeries(this.#block, row - 1, row) >= 0) {
        this.#fail(`series[${row}]`, 'it repeats the row before it or belongs before it');
      }
    }
    this.#profiles();
  }

  #profiles(): void {
    const { series, timeStartMs, timeEndMs } = this.#block;
    const { length, kind, profileStart, profileTime, profileDuration, profileCount } = series;
    this.#sizes('series', length, { kind });
    this.#starts('series.profiles', profileStart, length, profileTime.length);
    this.#sizes('series.profiles', profileTime.length, { duration: profileDuration, count: profileCount });
    for (let row = 0; row < length; row++) {
      if (kind[row]! >= SERIES_KINDS.length) this.#fail(`series[${row}].kind`, `${kind[row]} is no kind`);
      for (let at = profileStart[row]!; at < profileStart[row + 1]!; at++) {
        const field = `series[${row}].profiles[${at - profileStart[row]!}]`;
        this.#limit('profileDurationMs', profileDuration[at]!, `${field}.duration`);
        if (profileCount[at] === 0) this.#fail(`${field}.count`, 'it is not an integer from 1');
        if (timeStartMs + profileTime[at]! >= timeEndMs)
          this.#fail(`${field}.time`, 'it is not before the end');
        if (at === profileStart[row]) continue;
        const later =
          profileTime[at]! - profileTime[at - 1]! || profileDuration[at]! - profileDuration[at - 1]!;
        if (later <= 0) this.#fail(field, 'it repeats the profile before it or belongs before it');
      }
    }
  }

  #labels(row: number): void {
    const { series, strings } = this.#block;
    const start = series.labelStart[row]!;
    const end = series.labelStart[row + 1]!;
    this.#limit('labelsPerSeries', end - start, `series[${row}].labels`);
    for (let label = start; label < end; label++) {
      const field = `series[${row}].labels[${label - start}]`;
      if (
        strings.byteLength(series.labelName[label]!) === 0 ||
        strings.byteLength(series.labelValue[label]!) === 0
      ) {
        this.#fail(field, 'a label needs a name and a value');
      }
      if (label > start && strings.compare(series.labelName[label - 1]!, series.labelName[label]!) >= 0) {
        this.#fail(
          field,
          `"${strings.at(series.labelName[label]!)}" repeats the label before it or belongs before it`,
        );
      }
    }
  }

  samples(): void {
    const { samples, series, stacks } = this.#block;
    const { length, pointStart, time, value, total } = samples;
    this.#rows('samples', length);
    this.#sizes('samples', length, { series: samples.series, stack: samples.stack, total });
    this.#indices('samples.series', samples.series, series.length);
    this.#indices('samples.stack', samples.stack, stacks.length);
    this.#sizes('samples.times', time.length, { values: value });
    for (let row = 1; row < length; row++) {
      const step = samples.series[row]! - samples.series[row - 1]!;
      if (step < 0 || (step === 0 && samples.stack[row]! <= samples.stack[row - 1]!)) {
        this.#fail(`samples[${row}]`, 'rows must ascend by series and stack, each pair once');
      }
    }
    if (this.#points) {
      this.#starts('samples.times', pointStart, length, time.length);
      for (let row = 0; row < length; row++) this.#sample(row);
    } else {
      this.#sizes('samples.times', length + 1, { offsets: pointStart });
      if (time.length > 0 || pointStart[length] !== 0) {
        this.#fail('samples.times', 'a block without points must have none at all');
      }
      for (let row = 0; row < length; row++) this.#value(total[row]!, `samples[${row}].total`);
    }
  }

  /** The points of one row: some, in order, inside the block's time, summing to the total. */
  #sample(row: number): void {
    const { samples, timeStartMs, timeEndMs } = this.#block;
    const { pointStart, time, value, total } = samples;
    const start = pointStart[row]!;
    const end = pointStart[row + 1]!;
    const span = timeEndMs - timeStartMs;
    if (start === end) this.#fail(`samples[${row}].times`, 'a sample needs at least one point');
    let sum = 0;
    let before = -1;
    for (let point = start; point < end; point++) {
      const at = time[point]!;
      if (at <= before || at >= span) {
        this.#fail(
          `samples[${row}].times[${point - start}]`,
          `${at} is out of order or past the block's end`,
        );
      }
      before = at;
      const v = value[point]!;
      if (!Number.isInteger(v)) this.#value(v, `samples[${row}].values[${point - start}]`);
      sum += v;
    }
    if (sum !== total[row]) {
      this.#fail(`samples[${row}].total`, `it is ${total[row]}, but the values sum to ${sum}`);
    }
    this.#value(sum, `samples[${row}].total`);
  }

  #value(value: number, field: string): void {
    if (!Number.isInteger(value) || Math.abs(value) > INT64_MAX) {
      this.#fail(field, `${value} is not a 64-bit integer`);
    }
  }

  #rows(table: string, rows: number): void {
    if (!isCount(rows)) this.#fail(table, `${rows} is not a number of rows`);
    this.#limit('rows', rows, table);
  }

  #sizes(
    table: string,
    length: number,
    columns: Readonly<Record<string, { readonly length: number }>>,
  ): void {
    for (const [name, column] of Object.entries(columns)) {
      if (column.length !== length) {
        this.#fail(`${table}.${name}`, `it has ${column.length} rows where ${length} were expected`);
      }
    }
  }

  /** Offsets of a list column: length + 1 of them, from 0, never falling, up to the number of items. */
  #starts(field: string, starts: Uint32Array, length: number, items: number): void {
    if (starts.length !== length + 1 || starts[0] !== 0 || starts[length] !== items) {
      this.#fail(field, 'its offsets do not match its rows and items');
    }
    for (let row = 0; row < length; row++) {
      if (starts[row]! > starts[row + 1]!) this.#fail(`${field}[${row}]`, 'its offsets fall');
    }
  }

  #indices(field: string, indices: Uint32Array | Uint8Array, count: number): void {
    for (let i = 0; i < indices.length; i++) {
      if (indices[i]! >= count) this.#fail(`${field}[${i}]`, `${indices[i]} is not below ${count}`);
    }
  }

  #limit(name: keyof BlockLimits, value: number, field: string): void {
    if (value <= this.#limits[name]) return;
    throw new FleetflameError(
      'limit_exceeded',
      `The block's ${field} is ${value}, over the limit ${name} of ${this.#limits[name]}.`,
      { field },
    );
  }

  #fail(field: string, what: string): never {
    throw new FleetflameError(this.#code, `The block is not valid at ${field}: ${what}.`, { field });
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The order of series: profile type, service_name, labels, period, kind. */
function compareSeries(block: Block, a: number, b: number): number {
  const { series, strings } = block;
  const byHead =
    strings.compare(series.profileType[a]!, series.profileType[b]!) ||
    compareStrings(serviceOf(block, a), serviceOf(block, b));
  if (byHead !== 0) return byHead;
  let x = series.labelStart[a]!;
  let y = series.labelStart[b]!;
  for (; x < series.labelStart[a + 1]! && y < series.labelStart[b + 1]!; x++, y++) {
    const byLabel =
      strings.compare(series.labelName[x]!, series.labelName[y]!) ||
      strings.compare(series.labelValue[x]!, series.labelValue[y]!);
    if (byLabel !== 0) return byLabel;
  }
  return (
    series.labelStart[a + 1]! - x - (series.labelStart[b + 1]! - y) ||
    series.period[a]! - series.period[b]! ||
    series.kind[a]! - series.kind[b]!
  );
}
