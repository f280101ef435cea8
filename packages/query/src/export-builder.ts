import {
  addressHalves,
  BlockBuilder,
  Durations,
  FleetflameError,
  MAPPING_KINDS,
  sampleRanges,
  partInRange,
  symbolizeLocation,
  type Block,
  type SampleSelection,
  type Symbolize,
} from '@fleetflame/profile';

const LOW_32 = 0xffff_ffffn;

/**
 * Collects what a scope selects of many blocks into one block without times: a row per (labels,
 * stack), native frames with the lines that symbols give them. What pprof and folded files are
 * written from.
 */
export class ExportBuilder {
  readonly #builder = new BlockBuilder();
  readonly #keepLabel: (name: string) => boolean;
  readonly #atMs: number;
  readonly #maxRows: number;
  readonly #profileType: string;
  total = 0;

  constructor(options: {
    readonly keepLabel: (name: string) => boolean;
    readonly atMs: number;
    readonly maxRows: number;
    /** Of all rows: those that are the same question become one. */
    readonly profileType: string;
  }) {
    this.#keepLabel = options.keepLabel;
    this.#atMs = options.atMs;
    this.#maxRows = options.maxRows;
    this.#profileType = options.profileType;
  }

  addBlock(block: Block, selection: SampleSelection, symbolize: Symbolize): void {
    const rows = new BlockRows(block, this.#builder, symbolize);
    const ranges = sampleRanges(block);
    const durations = new Durations(block);
    for (let series = 0; series < block.series.length; series++) {
      const end = ranges[series + 1]!;
      if (selection.series[series] === 0 || ranges[series] === end) continue;
      const target = this.#series(block, series);
      for (let row = ranges[series]!; row < end; row++) {
        const value = durations.has(series)
          ? spreadOfRow(block, row, durations, selection)
          : valueOfRow(block, row, selection.timeRange);
        if (value === 0) continue;
        this.#builder.add(target, rows.stack(block.samples.stack[row]!), this.#atMs, value);
        this.total += value;
      }
      if (this.#builder.points > this.#maxRows) throw tooManyRows(this.#maxRows);
    }
  }

  build(): Block {
    return this.#builder.build();
  }

  #series(block: Block, row: number): number {
    const { series, strings } = block;
    const labels: Record<string, string> = {};
    for (let label = series.labelStart[row]!; label < series.labelStart[row + 1]!; label++) {
      const name = strings.at(series.labelName[label]!);
      if (this.#keepLabel(name)) labels[name] = strings.at(series.labelValue[label]!);
    }
    return this.#builder.series(this.#profileType, series.period[row]!, labels);
  }
}

function valueOfRow(block: Block, row: number, timeRange: SampleSelection['timeRange']): number {
  const { samples } = block;
  if (timeRange === undefined) return samples.total[row]!;
  let sum = 0;
  for (let point = samples.pointStart[row]!; point < samples.pointStart[row + 1]!; point++) {
    const time = block.timeStartMs + samples.time[point]!;
    if (time >= timeRange.fromMs && time < timeRange.toMs) sum += samples.value[point]!;
  }
  return sum;
}

/** As `valueOfRow`, of profiles that take time. */
function spreadOfRow(block: Block, row: number, durations: Durations, selection: SampleSelection): number {
  const { samples } = block;
  const { timeRange } = selection;
  if (timeRange === undefined) return samples.total[row]!;
  let sum = 0;
  for (let point = samples.pointStart[row]!; point < samples.pointStart[row + 1]!; point++) {
    const time = samples.time[point]!;
    const durationMs = durations.of(samples.series[row]!, time);
    sum += partInRange(block.timeStartMs + time, samples.value[point]!, durationMs, timeRange);
  }
  return sum;
}

/** Rows of one block in the builder's tables, added when first needed. */
class BlockRows {
  readonly #block: Block;
  readonly #builder: BlockBuilder;
  readonly #symbolize: Symbolize;
  readonly #addresses: Uint32Array;
  /** The builder's row + 1; 0: not added yet. */
  readonly #stacks: Uint32Array;
  readonly #locations: Uint32Array;
  readonly #path: number[] = [];

  constructor(block: Block, builder: BlockBuilder, symbolize: Symbolize) {
    this.#block = block;
    this.#builder = builder;
    this.#symbolize = symbolize;
    this.#addresses = addressHalves(block.locations.address);
    this.#stacks = new Uint32Array(block.stacks.length);
    this.#locations = new Uint32Array(block.locations.length);
    this.#stacks[0] = 1;
  }

  stack(stack: number): number {
    const { parent, location } = this.#block.stacks;
    let at = stack;
    while (this.#stacks[at] === 0) {
      this.#path.push(at);
      at = parent[at]!;
    }
    let row = this.#stacks[at]! - 1;
    for (let next = this.#path.pop(); next !== undefined; next = this.#path.pop()) {
      row = this.#builder.stack(row, this.#location(location[next]!));
      this.#stacks[next] = row + 1;
    }
    return row;
  }

  #location(location: number): number {
    const known = this.#locations[location]!;
    if (known > 0) return known - 1;
    const { locations, mappings } = this.#block;
    const mapping = locations.mapping[location]!;
    const address = locations.address[location]!;
    const row = this.#builder.location(
      mapping === 0
        ? 0
        : this.#builder.mapping(
            this.#string(mappings.file[mapping]!),
            this.#string(mappings.buildId[mapping]!),
            MAPPING_KINDS[mappings.kind[mapping]!] ?? 'unknown',
          ),
      Number(address & LOW_32),
      Number(address >> 32n),
      this.#lines(location),
      this.#columns(location),
    );
    this.#locations[location] = row + 1;
    return row;
  }

  /** function, line, function, line, ..., innermost first. */
  #lines(location: number): number[] {
    const { locations, functions } = this.#block;
    const lines: number[] = [];
    for (let line = locations.lineStart[location]!; line < locations.lineStart[location + 1]!; line++) {
      const fn = locations.lineFunction[line]!;
      const row = this.#builder.function(
        this.#string(functions.name[fn]!),
        this.#string(functions.systemName[fn]!),
        this.#string(functions.filename[fn]!),
        functions.startLine[fn]!,
      );
      lines.push(row, locations.lineNumber[line]!);
    }
    if (lines.length > 0) return lines;
    const symbols = symbolizeLocation(this.#block, location, this.#addresses, this.#symbolize);
    if (typeof symbols === 'string') return lines;
    for (const { name, systemName, filename, startLine, line } of symbols) {
      const text = (value: string): number => this.#builder.string(value);
      lines.push(this.#builder.function(text(name), text(systemName), text(filename), startLine), line);
    }
    return lines;
  }

  /** Of the lines that the location has itself. */
  #columns(location: number): Uint32Array {
    const { lineStart, lineColumn } = this.#block.locations;
    return lineColumn.subarray(lineStart[location], lineStart[location + 1]);
  }

  #string(string: number): number {
    return this.#builder.string(this.#block.strings.at(string));
  }
}

function tooManyRows(limit: number): FleetflameError {
  return new FleetflameError(
    'limit_exceeded',
    `The export has more than ${limit} rows of distinct labels and stack. Narrow the selector or the time range.`,
    { field: 'scope' },
  );
}
