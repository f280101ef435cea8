import type { BlockBuilder } from '../../block/block-builder.ts';
import { LABEL, SAMPLE } from './fields.ts';
import type { PprofTables } from './decode-tables.ts';
import type { PprofLimits } from './limits.ts';
import { formatNumericLabels, NUMERIC_LABELS } from './numeric-labels.ts';
import { checkString, readStringIndex } from './scan-profile.ts';
import type { ProfileLayout } from './scan-profile.ts';
import { WIRE } from './wire-reader.ts';
import type { WireReader } from './wire-reader.ts';

/** Numbers that describe one label: key, str, num (low, high), num_unit. */
const LABEL_WORDS = 5;

/** A series that no value was added to yet. */
const NO_SERIES = -1;

/** What all samples share. */
export interface SampleContext {
  readonly layout: ProfileLayout;
  readonly tables: PprofTables;
  readonly limits: PprofLimits;
  /** One per sample type, in their order. */
  readonly profileTypes: readonly string[];
  /** Labels of the request: they win over the sample's own. */
  readonly labels: Readonly<Record<string, string>>;
  readonly timeMs: number;
}

/** Reads the samples of a profile into a builder, without an object per sample. */
export class SampleDecoder {
  /** Sums per sample type. */
  readonly totals: Float64Array;
  readonly #reader: WireReader;
  readonly #context: SampleContext;
  readonly #builder: BlockBuilder;

  readonly #values: Float64Array;
  /** Locations of the sample at hand, leaf first. */
  readonly #frames: Uint32Array;
  #depth = 0;
  /** Path of the last sample, root first: its prefix is often that of the next. */
  readonly #lastLocations: Uint32Array;
  readonly #lastStacks: Uint32Array;
  #lastDepth = 0;
  #stacks = 0;

  readonly #labels: Uint32Array;
  #labelCount = 0;
  readonly #lastLabels: Uint32Array;
  #lastLabelCount = -1;
  /** By label set, the series of each sample type; the key is the numbers of the set. */
  readonly #seriesByLabels = new Map<string, Int32Array>();
  #series: Int32Array = new Int32Array(0);
  #seriesCount = 0;

  constructor(reader: WireReader, builder: BlockBuilder, context: SampleContext) {
    const { limits, profileTypes } = context;
    this.#reader = reader;
    this.#builder = builder;
    this.#context = context;
    this.totals = new Float64Array(profileTypes.length);
    this.#values = new Float64Array(profileTypes.length);
    this.#frames = new Uint32Array(limits.stackDepth);
    this.#lastLocations = new Uint32Array(limits.stackDepth);
    this.#lastStacks = new Uint32Array(limits.stackDepth);
    this.#labels = new Uint32Array(limits.labelsPerSample * LABEL_WORDS);
    this.#lastLabels = new Uint32Array(limits.labelsPerSample * LABEL_WORDS);
  }

  decode(): void {
    const reader = this.#reader;
    const { samples } = this.#context.layout;
    reader.table = 'sample';
    for (let row = 0; row < samples.length; row++) {
      reader.row = row;
      reader.field = '';
      reader.seek(samples[row]!);
      this.#decodeSample();
    }
  }

  #decodeSample(): void {
    const reader = this.#reader;
    const types = this.#values.length;
    let values = 0;
    this.#depth = 0;
    this.#labelCount = 0;
    const outer = reader.enterLength();
    while (reader.more()) {
      reader.field = '';
      switch (reader.tag()) {
        case SAMPLE.locationId:
          reader.field = 'location_id';
          if (reader.is(WIRE.varint)) this.#readLocationId();
          else {
            const list = reader.enter();
            while (reader.more()) this.#readLocationId();
            reader.leave(list);
          }
          reader.entry = -1;
          break;
        case SAMPLE.value:
          reader.field = 'value';
          if (reader.is(WIRE.varint)) this.#readValue(values++);
          else {
            const list = reader.enter();
            while (reader.more()) this.#readValue(values++);
            reader.leave(list);
          }
          reader.entry = -1;
          break;
        case SAMPLE.label:
          reader.field = 'label';
          this.#readLabel();
          reader.entry = -1;
          break;
        default:
          reader.skip();
      }
    }
    reader.leave(outer);
    if (values !== types) {
      reader.field = 'value';
      throw reader.broken(`there are ${values} values for ${types} sample types`);
    }
    this.#add();
  }

  #readLocationId(): void {
    const reader = this.#reader;
    const { tables, limits } = this.#context;
    reader.entry = this.#depth;
    if (this.#depth === limits.stackDepth) {
      throw reader.tooMany('stackDepth', 'locations in a sample', limits.stackDepth);
    }
    const low = reader.varint();
    const location = tables.location(low, reader.high);
    if (location === undefined) {
      throw reader.broken(`there is no location with id ${BigInt.asUintN(64, reader.int64(low))}`);
    }
    this.#frames[this.#depth++] = location;
  }

  #readValue(index: number): void {
    const reader = this.#reader;
    reader.entry = index;
    if (index >= this.#values.length) {
      throw reader.broken(`there are more values than the ${this.#values.length} sample types`);
    }
    this.#values[index] = reader.safeInt('the value');
  }

  #readLabel(): void {
    const reader = this.#reader;
    const { limits, layout } = this.#context;
    const index = this.#labelCount;
    reader.entry = index;
    if (index === limits.labelsPerSample) {
      throw reader.tooMany('labelsPerSample', 'labels on a sample', limits.labelsPerSample);
    }
    const words = this.#labels;
    const at = index * LABEL_WORDS;
    words.fill(0, at, at + LABEL_WORDS);
    const outer = reader.enter();
    while (reader.more()) {
      reader.leaf = '';
      switch (reader.tag()) {
        case LABEL.key:
          reader.leaf = 'key';
          words[at] = checkString(reader, readStringIndex(reader), layout.strings.length);
          break;
        case LABEL.str:
          reader.leaf = 'str';
          words[at + 1] = checkString(reader, readStringIndex(reader), layout.strings.length);
          break;
        case LABEL.num:
          reader.leaf = 'num';
          words[at + 2] = reader.uint();
          words[at + 3] = reader.high;
          break;
        case LABEL.numUnit:
          reader.leaf = 'num_unit';
          words[at + 4] = checkString(reader, readStringIndex(reader), layout.strings.length);
          break;
        default:
          reader.skip();
      }
    }
    reader.leave(outer);
    reader.leaf = '';
    this.#labelCount = index + 1;
  }

  #add(): void {
    const { limits, timeMs } = this.#context;
    const builder = this.#builder;
    const stack = this.#stack();
    const series = this.#seriesOfLabels();
    for (let type = 0; type < this.#values.length; type++) {
      const value = this.#values[type]!;
      if (value === 0) continue;
      if (series[type] === NO_SERIES) series[type] = this.#newSeries(type);
      if (builder.points >= limits.points) {
        throw this.#reader.tooMany('points', 'values that are not 0', limits.points);
      }
      builder.add(series[type]!, stack, timeMs, value);
      this.totals[type]! += value;
    }
  }

  #stack(): number {
    const frames = this.#frames;
    const depth = this.#depth;
    const lastLocations = this.#lastLocations;
    const lastStacks = this.#lastStacks;
    let level = 0;
    const common = Math.min(depth, this.#lastDepth);
    while (level < common && lastLocations[level] === frames[depth - 1 - level]) level++;
    let stack = level === 0 ? 0 : lastStacks[level - 1]!;
    for (; level < depth; level++) {
      const location = frames[depth - 1 - level]!;
      stack = this.#builder.stack(stack, location);
      // Rows are given out in order: the largest one counts them.
      if (stack > this.#stacks) this.#countStack(stack);
      lastLocations[level] = location;
      lastStacks[level] = stack;
    }
    this.#lastDepth = depth;
    return stack;
  }

  #countStack(stack: number): void {
    this.#stacks = stack;
    const { stacks } = this.#context.limits;
    if (stack > stacks) throw this.#reader.tooMany('stacks', 'distinct stack prefixes', stacks);
  }

  /** The series of the sample's labels, one per sample type; looked up only when they change. */
  #seriesOfLabels(): Int32Array {
    const labels = this.#labels;
    const words = this.#labelCount * LABEL_WORDS;
    if (this.#labelCount === this.#lastLabelCount) {
      let same = 0;
      while (same < words && labels[same] === this.#lastLabels[same]) same++;
      if (same === words) return this.#series;
    }
    const key = labels.subarray(0, words).join();
    let series = this.#seriesByLabels.get(key);
    if (series === undefined) {
      // Labels that no value comes with make no series, but they take memory all the same.
      if (this.#seriesByLabels.size === this.#context.limits.series) this.#tooManySeries();
      this.#labelRecord();
      series = new Int32Array(this.#values.length).fill(NO_SERIES);
      this.#seriesByLabels.set(key, series);
    }
    this.#lastLabels.set(labels.subarray(0, words));
    this.#lastLabelCount = this.#labelCount;
    this.#series = series;
    return series;
  }

  #newSeries(type: number): number {
    const { limits, layout, profileTypes } = this.#context;
    if (this.#seriesCount++ === limits.series) this.#tooManySeries();
    return this.#builder.series(profileTypes[type] ?? '', layout.period, this.#labelRecord());
  }

  #tooManySeries(): never {
    throw this.#reader.tooMany(
      'series',
      'series (label sets times sample types)',
      this.#context.limits.series,
    );
  }

  /** Checks the labels of the sample at hand and joins them with those of the request. */
  #labelRecord(): Record<string, string> {
    const reader = this.#reader;
    const { strings } = this.#context.layout;
    const words = this.#labels;
    const values = new Map<string, string>();
    const units = new Map<string, string>();
    reader.field = 'label';
    for (let index = 0; index < this.#labelCount; index++) {
      reader.entry = index;
      const at = index * LABEL_WORDS;
      const name = strings[words[at]!] ?? '';
      const text = strings[words[at + 1]!] ?? '';
      const low = words[at + 2]!;
      const high = words[at + 3]!;
      const unit = strings[words[at + 4]!] ?? '';
      const numeric = low !== 0 || high !== 0 || unit !== '';
      reader.leaf = 'key';
      if (name === '') throw reader.broken('a label needs a key');
      if (name === NUMERIC_LABELS)
        throw reader.broken(`${NUMERIC_LABELS} is a name that Fleetflame keeps for itself`);
      reader.leaf = 'num';
      if (numeric && text !== '') throw reader.broken('a label has a string or a number, not both');
      reader.leaf = '';
      // Neither is the empty string, which is the same as no label.
      if (!numeric && text === '') continue;
      const value = numeric ? String((BigInt(high | 0) << 32n) | BigInt(low)) : text;
      const known = values.get(name);
      if (known !== undefined && (known !== value || units.get(name) !== (numeric ? unit : undefined))) {
        throw reader.broken(`the sample has the label ${JSON.stringify(name)} twice, with different values`);
      }
      values.set(name, value);
      if (numeric) units.set(name, unit);
    }
    reader.entry = -1;
    for (const [name, value] of Object.entries(this.#context.labels)) {
      values.set(name, value);
      units.delete(name);
    }
    const numericLabels = formatNumericLabels(units);
    if (numericLabels !== undefined) values.set(NUMERIC_LABELS, numericLabels);
    // Object.fromEntries defines __proto__ like any other name.
    return Object.fromEntries(values);
  }
}
