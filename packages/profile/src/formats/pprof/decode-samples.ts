import type { BlockBuilder } from '../../block/block-builder.ts';
import type { FleetflameError } from '../../errors.ts';
import { FrameBuffer } from '../frame-buffer.ts';
import { ImportChanges } from '../import-changes.ts';
import type { ImportChange } from '../import-changes.ts';
import { LABEL, SAMPLE } from './fields.ts';
import { PRUNE } from './decode-tables.ts';
import type { PprofTables } from './decode-tables.ts';
import type { PprofLimits } from './limits.ts';
import { LABEL_WORDS, sampleLabels } from './sample-labels.ts';
import { readKnownString } from './scan-profile.ts';
import type { ProfileLayout } from './scan-profile.ts';
import type { PprofStrings } from './pprof-strings.ts';
import { scratch } from './scratch.ts';
import { WIRE } from './wire-reader.ts';
import type { WireReader } from './wire-reader.ts';

/** The largest value of a sample: 36 years in nanoseconds. */
const VALUE_MAX = 2 ** 60;

/** A series that no value was added to yet. */
const NO_SERIES = -1;

/** The labels of some samples. */
interface LabelSet {
  /** The series of each sample type, or NO_SERIES. */
  readonly series: Int32Array;
  readonly record: Readonly<Record<string, string>>;
  /** What is changed for each sample that has them. */
  readonly changes: readonly ImportChange[];
}

/** What all samples share. */
export interface SampleContext {
  readonly layout: ProfileLayout;
  readonly tables: PprofTables;
  readonly limits: PprofLimits;
  readonly changes: ImportChanges;
  /** Names of labels that are left out: they have too many values. */
  readonly leftOut: ReadonlySet<string>;
  /** One per sample type, in their order. */
  readonly profileTypes: readonly string[];
  /** Labels of the request: they win over the sample's own. */
  readonly labels: Readonly<Record<string, string>>;
  readonly timeMs: number;
  readonly onNegative?: ((profileType: string, value: number, sample: number) => void) | undefined;
}

/** Reads the samples of a profile into a builder, without an object per sample. */
export class SampleDecoder {
  /** Sums per sample type. */
  readonly totals: Float64Array;
  readonly #reader: WireReader;
  readonly #context: SampleContext;
  readonly #builder: BlockBuilder;

  readonly #values: Float64Array;
  /** Rows of the locations of the sample at hand, leaf first. */
  readonly #frames: FrameBuffer;
  readonly #cutRow: (leftOut: number) => number;
  /** Path of the last sample, root first: its prefix is often that of the next. */
  readonly #lastLocations: Uint32Array;
  readonly #lastStacks: Uint32Array;
  #lastDepth = 0;
  /** The last row that the builder had before, and the largest since. */
  readonly #stacksBefore: number;
  #stacks: number;

  readonly #labels: Uint32Array;
  #labelCount = 0;
  readonly #lastLabels: Uint32Array;
  #lastLabelCount = -1;
  /** By label set; the key is the numbers of the set. */
  readonly #labelSets = new Map<string, LabelSet>();
  #labelSet: LabelSet = { series: new Int32Array(0), record: {}, changes: [] };
  #seriesCount = 0;

  constructor(reader: WireReader, builder: BlockBuilder, context: SampleContext) {
    const { limits, profileTypes } = context;
    this.#reader = reader;
    this.#builder = builder;
    this.#stacksBefore = builder.stackCount - 1;
    this.#stacks = this.#stacksBefore;
    this.#context = context;
    this.totals = new Float64Array(profileTypes.length);
    this.#values = new Float64Array(profileTypes.length);
    this.#frames = new FrameBuffer(limits.stackDepth, (words) => scratch.u32(words));
    this.#cutRow = (leftOut) => context.tables.cutRow(leftOut);
    this.#lastLocations = scratch.u32(limits.stackDepth);
    this.#lastStacks = scratch.u32(limits.stackDepth);
    this.#labels = scratch.u32(limits.labelsPerSample * LABEL_WORDS);
    this.#lastLabels = scratch.u32(limits.labelsPerSample * LABEL_WORDS);
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
    this.#frames.clear();
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
    reader.field = 'value';
    if (values < types) {
      this.#context.changes.note('value_missing', () => `${reader.path()}: ${values} of ${types}`);
      this.#values.fill(0, values);
    }
    this.#add();
  }

  #readLocationId(): void {
    const reader = this.#reader;
    reader.entry = this.#frames.pushed;
    const low = reader.varint();
    this.#frames.push(this.#context.tables.row(low, reader.high));
  }

  #readValue(index: number): void {
    const reader = this.#reader;
    const { changes } = this.#context;
    reader.entry = index;
    const low = reader.varint();
    if (index >= this.#values.length) {
      changes.note('value_left_out', () => `${reader.path()}: ${reader.int64(low)}`);
      return;
    }
    const value = reader.number(low);
    this.#values[index] = Number.isSafeInteger(value) ? value : this.#largeValue(value, low);
  }

  /** Values beyond 2^53 are the nearest float64; beyond 2^60 no sum of them would fit 64 bits. */
  #largeValue(value: number, low: number): number {
    const reader = this.#reader;
    const { changes } = this.#context;
    if (Math.abs(value) > VALUE_MAX) {
      changes.note('value_capped', () => `${reader.path()}: ${reader.int64(low)}`);
      return Math.sign(value) * VALUE_MAX;
    }
    changes.note('value_inexact', () => `${reader.path()}: ${reader.int64(low)}`);
    return value;
  }

  #readLabel(): void {
    const reader = this.#reader;
    const { limits, layout, changes, leftOut } = this.#context;
    const index = this.#labelCount;
    reader.entry = index;
    if (index === limits.labelsPerSample) {
      changes.note('label_left_out', () => `${reader.path()}: more than ${limits.labelsPerSample} labels`);
      reader.skip();
      return;
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
          words[at] = readKnownString(reader, layout.strings.length, changes);
          break;
        case LABEL.str:
          reader.leaf = 'str';
          words[at + 1] = readKnownString(reader, layout.strings.length, changes);
          break;
        case LABEL.num:
          reader.leaf = 'num';
          words[at + 2] = reader.uint();
          words[at + 3] = reader.high;
          break;
        case LABEL.numUnit:
          reader.leaf = 'num_unit';
          words[at + 4] = readKnownString(reader, layout.strings.length, changes);
          break;
        default:
          reader.skip();
      }
    }
    reader.leave(outer);
    reader.leaf = '';
    const name = layout.strings.at(words[at]!);
    if (leftOut.size > 0 && leftOut.has(name)) changes.note('label_left_out', `${name}: too many values`);
    else this.#labelCount = index + 1;
  }

  #add(): void {
    const { limits, timeMs, changes } = this.#context;
    const builder = this.#builder;
    const stack = this.#stack();
    const labelSet = this.#labelSetOf();
    const { series } = labelSet;
    for (const { what, count, example } of labelSet.changes) changes.note(what, example, count);
    for (let type = 0; type < this.#values.length; type++) {
      const value = this.#values[type]!;
      if (value === 0) continue;
      if (value < 0) this.#context.onNegative?.(this.#context.profileTypes[type]!, value, this.#reader.row);
      if (series[type] === NO_SERIES) series[type] = this.#newSeries(type, labelSet);
      if (builder.points >= limits.points) {
        throw this.#reader.tooMany('points', 'values that are not 0', limits.points);
      }
      builder.add(series[type]!, stack, timeMs, value);
      this.totals[type]! += value;
    }
  }

  #stack(): number {
    const { tables, changes } = this.#context;
    const { frames } = this.#frames;
    const kept = this.#frames.finish(this.#cutRow);
    if (kept < this.#frames.pushed) {
      changes.note('stack_cut', () => `sample[${this.#reader.row}]: ${this.#frames.pushed} frames`);
    }
    const first = this.#innermost(kept);
    const depth = kept - first;
    const lastLocations = this.#lastLocations;
    const lastStacks = this.#lastStacks;
    let level = 0;
    const common = Math.min(depth, this.#lastDepth);
    while (level < common && lastLocations[level] === frames[kept - 1 - level]) level++;
    let stack = level === 0 ? 0 : lastStacks[level - 1]!;
    for (; level < depth; level++) {
      const row = frames[kept - 1 - level]!;
      stack = this.#builder.stack(stack, tables.location(row));
      // Rows are given out in order: the largest one counts them.
      if (stack > this.#stacks) this.#countStack(stack);
      lastLocations[level] = row;
      lastStacks[level] = stack;
    }
    this.#lastDepth = depth;
    return stack;
  }

  /** Index of the innermost frame that drop_frames leaves: what lies before is removed. */
  #innermost(depth: number): number {
    const { tables, changes } = this.#context;
    if (!tables.drops) return 0;
    const { frames } = this.#frames;
    // Outermost frames that match are left: a program must not vanish whole.
    let found = false;
    for (let at = depth - 1; at >= 0; at--) {
      const prune = tables.pruning(frames[at]!);
      if (prune === PRUNE.nothing) found = true;
      else if (found) {
        changes.note('frames_dropped', () => `sample[${this.#reader.row}]`);
        return prune === PRUNE.whole ? at + 1 : at;
      }
    }
    return 0;
  }

  #countStack(stack: number): void {
    this.#stacks = stack;
    const { stacks } = this.#context.limits;
    if (stack - this.#stacksBefore > stacks)
      throw this.#reader.tooMany('stacks', 'distinct stack prefixes', stacks);
  }

  /** What is known of the sample's labels; looked up only when they change. */
  #labelSetOf(): LabelSet {
    const labels = this.#labels;
    const words = this.#labelCount * LABEL_WORDS;
    if (this.#labelCount === this.#lastLabelCount) {
      let same = 0;
      while (same < words && labels[same] === this.#lastLabels[same]) same++;
      if (same === words) return this.#labelSet;
    }
    const key = labels.subarray(0, words).join();
    let labelSet = this.#labelSets.get(key);
    if (labelSet === undefined) {
      // Labels that no value comes with make no series, but they take memory all the same.
      if (this.#labelSets.size === this.#context.limits.series) this.#tooManySeries();
      labelSet = this.#newLabelSet();
      this.#labelSets.set(key, labelSet);
    }
    this.#lastLabels.set(labels.subarray(0, words));
    this.#lastLabelCount = this.#labelCount;
    this.#labelSet = labelSet;
    return labelSet;
  }

  #newLabelSet(): LabelSet {
    const { layout, labels, limits } = this.#context;
    const changes = new ImportChanges();
    const record = sampleLabels(this.#labels, this.#labelCount, layout.strings, { labels, limits, changes });
    return { series: new Int32Array(this.#values.length).fill(NO_SERIES), record, changes: changes.list() };
  }

  #newSeries(type: number, { record }: LabelSet): number {
    const { limits, layout, profileTypes } = this.#context;
    if (this.#seriesCount++ === limits.series) this.#tooManySeries();
    return this.#builder.series(profileTypes[type] ?? '', layout.period, record);
  }

  #tooManySeries(): never {
    const { layout, limits } = this.#context;
    throw new TooManySeries(
      manyValued([...this.#labelSets.keys()], layout.strings),
      this.#reader.tooMany('series', 'series (label sets times sample types)', limits.series),
    );
  }
}

/** The label sets of a profile are too many: it is read again without some labels, or refused. */
export class TooManySeries extends Error {
  /** Names of the labels with the most values. */
  readonly names: readonly string[];
  readonly refusal: FleetflameError;

  constructor(names: readonly string[], refusal: FleetflameError) {
    super(refusal.message);
    this.names = names;
    this.refusal = refusal;
  }
}

/** Names of labels that have at least half as many values as the one with the most. */
function manyValued(keys: readonly string[], strings: PprofStrings): string[] {
  const values = new Map<number, Set<string>>();
  for (const key of keys) {
    const words = key.split(',');
    for (let at = 0; at + LABEL_WORDS <= words.length; at += LABEL_WORDS) {
      const name = Number(words[at]);
      const known = values.get(name) ?? new Set<string>();
      values.set(name, known.add(words.slice(at + 1, at + LABEL_WORDS).join(',')));
    }
  }
  let most = 0;
  for (const { size } of values.values()) most = Math.max(most, size);
  return [...values].filter(([, set]) => set.size * 2 >= most).map(([name]) => strings.at(name));
}
