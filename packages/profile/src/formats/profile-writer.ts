/**
 * What decoders of all formats but pprof have in common: they name frames, put them into stacks and add
 * values; this makes a block of them, within limits, and notes what had to be changed.
 *
 *   writer.begin();
 *   writer.push(writer.frame({ name: 'main' }));        // outermost first, or innermost first
 *   writer.add(type, 0, labels, writer.end('outermost'), 10);
 *   return writer.finish(...);
 */
import { BlockBuilder } from '../block/block-builder.ts';
import type { Block, MappingKind } from '../block/block.ts';
import { mergeBlocks } from '../block/merge-blocks.ts';
import { FleetflameError } from '../errors.ts';
import { cutMarker, markerLocation } from './cut-marker.ts';
import type { DecodedProfile, DecodeProfileOptions } from './decoded-profile.ts';
import { FrameBuffer } from './frame-buffer.ts';
import { shortened } from './import-changes.ts';
import type { ImportChanges } from './import-changes.ts';
import { tooLargeFile } from './import-error.ts';
import type { ImportLimits } from './limits.ts';

/** One frame, as far as the file says. */
export interface ImportedFrame {
  readonly name: string;
  /** Source file. */
  readonly file?: string | undefined;
  /** 0: unknown. */
  readonly line?: number | undefined;
  /** From 1; 0: unknown. */
  readonly column?: number | undefined;
  /** 0: unknown. */
  readonly startLine?: number | undefined;
  readonly systemName?: string | undefined;
  /** Binary, library or runtime that the code belongs to. */
  readonly binary?: string | undefined;
  readonly kind?: MappingKind | undefined;
}

/** The largest value of a sample: no sum of a few would fit 64 bits otherwise. */
const VALUE_MAX = 2 ** 60;

/** Samples with times of their own span a day at most: ingest takes no more at once (batchSpanMs). */
const LONGEST_MS = 86_400_000;

/** Source lines are u32. */
const LINE_MAX = 2 ** 32 - 1;

export class ProfileWriter {
  readonly builder = new BlockBuilder();
  readonly changes: ImportChanges;
  readonly #format: string;
  readonly #options: DecodeProfileOptions;
  readonly #limits: ImportLimits;
  readonly #frames = new Map<string, number>();
  readonly #stack: FrameBuffer;
  readonly #series = new Map<string, number>();
  readonly #totals = new Map<string, number>();
  #tellsApart = true;
  #samples = 0;
  #isTimed = false;

  constructor(format: string, options: DecodeProfileOptions, limits: ImportLimits, changes: ImportChanges) {
    this.#format = format;
    this.#options = options;
    this.#limits = limits;
    this.changes = changes;
    this.#stack = new FrameBuffer(limits.stackDepth);
  }

  /** The location of a frame; the same one for the same frame. */
  frame(frame: ImportedFrame): number {
    const key = keyOf(frame);
    const known = this.#frames.get(key);
    if (known !== undefined) return known;
    const lines = [this.function(frame), this.line(frame.line ?? 0)];
    const columns = frame.column === undefined ? undefined : [this.line(frame.column)];
    const location = this.newLocation(0, 0, lines, this.#mapping(frame), columns);
    this.#frames.set(key, location);
    return location;
  }

  /** A location of an address or of several inlined functions; the caller remembers it. */
  newLocation(
    low: number,
    high: number,
    lines: readonly number[],
    mapping: number,
    columns?: readonly number[],
  ): number {
    if (this.#frames.size >= this.#limits.frames) throw this.tooLarge('distinct frames', 'frames');
    return this.builder.location(mapping, low, high, lines, columns);
  }

  function(frame: ImportedFrame): number {
    const { builder } = this;
    return builder.function(
      builder.string(this.name(frame.name)),
      frame.systemName === undefined ? 0 : builder.string(this.name(frame.systemName)),
      frame.file === undefined ? 0 : builder.string(this.name(frame.file)),
      this.line(frame.startLine ?? 0),
    );
  }

  /** A name as a block can hold it. */
  name(text: string): string {
    if (text === '') {
      this.changes.note('unnamed_frame');
      return '[unknown]';
    }
    const formed = text.toWellFormed();
    if (formed.length <= this.#limits.nameLength) return formed;
    this.changes.note('text_cut', formed);
    return shortened(formed, this.#limits.nameLength);
  }

  line(line: number): number {
    if (Number.isInteger(line) && line >= 0 && line <= LINE_MAX) return line;
    this.changes.note('line_unknown', String(line));
    return 0;
  }

  begin(): void {
    this.#stack.clear();
  }

  push(location: number): void {
    this.#stack.push(location);
  }

  /** The stack of what was pushed since `begin`; `first`: which end was pushed first. */
  end(first: 'outermost' | 'innermost'): number {
    const kept = this.#stack.finish((leftOut) => cutMarker(this.builder, leftOut));
    const { frames, pushed } = this.#stack;
    if (kept < pushed) this.changes.note('stack_cut', () => `${pushed} frames`);
    let stack = 0;
    for (let i = 0; i < kept; i++) {
      stack = this.child(stack, frames[first === 'outermost' ? i : kept - 1 - i]!);
    }
    return stack;
  }

  /** The stack with one more frame inside. */
  child(parent: number, location: number): number {
    const stack = this.builder.stack(parent, location);
    if (stack > this.#limits.stacks) throw this.tooLarge('distinct stack prefixes', 'stacks');
    return stack;
  }

  /**
   * The stack with one more frame inside, at a depth from 1; for formats that keep a stack open. Beyond
   * the limit all inner frames are one marker.
   */
  inner(parent: number, location: number, depth: number): number {
    const { stackDepth } = this.#limits;
    if (depth < stackDepth) return this.child(parent, location);
    if (depth > stackDepth) return parent;
    this.changes.note('stack_cut', () => `more than ${stackDepth} frames`);
    return this.child(parent, markerLocation(this.builder, '[inner frames left out]'));
  }

  /** Counts samples, or what else is the unit of the format. */
  countSample(): void {
    if (++this.#samples > this.#limits.samples) throw this.tooLarge('samples', 'samples');
  }

  /**
   * The value is rounded to an integer; `period`: in the unit of the type's period, 0 is unknown. `atMs`: Unix ms of the sample;
   * 0 for all samples of formats that say one time for all.
   */
  add(
    type: string,
    period: number,
    labels: Readonly<Record<string, string>>,
    stack: number,
    value: number,
    atMs = 0,
  ): void {
    this.declare(type);
    const rounded = this.#integer(value);
    if (rounded === 0) return;
    if (rounded < 0) this.#options.onNegative?.(type, rounded, Math.max(0, this.#samples - 1));
    if (this.builder.points >= this.#limits.points) throw this.tooLarge('values that are not 0', 'points');
    this.#totals.set(type, (this.#totals.get(type) ?? 0) + rounded);
    if (atMs > 0) this.#isTimed = true;
    this.builder.add(this.#seriesOf(type, period, labels), stack, atMs, rounded);
  }

  /** A type that the file has, with or without values. */
  declare(type: string): void {
    if (this.#totals.has(type)) return;
    if (this.#totals.size >= this.#limits.types) throw this.tooLarge('types of values', 'types');
    this.#totals.set(type, 0);
  }

  /** `fileTimeMs`: undefined where the file does not say. */
  finish(fileTimeMs: number | undefined, durationMs: number): DecodedProfile {
    for (const [type, total] of this.#totals) {
      if (!Number.isSafeInteger(total)) this.changes.note('value_inexact', `the sum of ${type} is ${total}`);
    }
    if (this.builder.points === 0) this.changes.note('no_samples');
    const timeMs = this.#timeMs(fileTimeMs);
    const block = this.builder.build();
    return {
      block: this.#isTimed ? timed(block, timeMs, fileTimeMs ?? timeMs) : atOnce(block, timeMs),
      isTimed: this.#isTimed && block.timeEndMs - block.timeStartMs <= LONGEST_MS,
      totals: this.#totals,
      timeMs,
      durationMs: Number.isFinite(durationMs) ? Math.max(0, Math.round(durationMs)) : 0,
      defaultSampleType: '',
      changes: this.changes.list(),
    };
  }

  tooLarge(what: string, limit: keyof ImportLimits): FleetflameError {
    return tooLargeFile(this.#format, what, this.#limits[limit], limit);
  }

  #timeMs(fileTimeMs: number | undefined): number {
    const { timeMs, arrivalMs } = this.#options;
    const said = timeMs ?? fileTimeMs;
    if (said !== undefined && Number.isSafeInteger(said) && said >= 0) return said;
    if (timeMs !== undefined) {
      throw new FleetflameError('invalid_input', `A time is in whole Unix milliseconds, not ${timeMs}.`, {
        field: 'time_ms',
      });
    }
    if (arrivalMs !== undefined) {
      this.changes.note('time_missing');
      return arrivalMs;
    }
    throw new FleetflameError(
      'invalid_input',
      `The ${this.#format} file has no time: say when it was taken, for example --time now.`,
      { field: 'time_ms' },
    );
  }

  #integer(value: number): number {
    if (!Number.isFinite(value)) {
      this.changes.note('value_left_out', String(value));
      return 0;
    }
    if (Math.abs(value) > VALUE_MAX) {
      this.changes.note('value_capped', String(value));
      return Math.sign(value) * VALUE_MAX;
    }
    const rounded = Math.round(value);
    // Less than a millionth is the conversion of units.
    if (Math.abs(rounded - value) > 1e-6 * Math.max(1, Math.abs(value)))
      this.changes.note('value_rounded', String(value));
    if (!Number.isSafeInteger(rounded)) this.changes.note('value_inexact', String(value));
    return rounded;
  }

  #mapping({ binary, kind }: ImportedFrame): number {
    if (binary === undefined && kind === undefined) return 0;
    return this.builder.mapping(this.builder.string(this.name(binary ?? '[unknown]')), 0, kind ?? 'unknown');
  }

  #seriesOf(type: string, period: number, labels: Readonly<Record<string, string>>): number {
    const own = this.#tellsApart ? labels : {};
    const key = `${type}\0${period}\0${Object.entries(own).flat().join('\0')}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= this.#limits.series) {
      if (!this.#tellsApart) throw this.tooLarge('series', 'series');
      this.#tellsApart = false;
      this.changes.note('label_left_out', () => `${Object.keys(own).join(', ')}: too many values`);
      this.#series.clear();
      return this.#seriesOf(type, period, {});
    }
    const series = this.builder.series(type, period, { ...this.#labels(own), ...this.#options.labels });
    this.#series.set(key, series);
    return series;
  }

  #labels(labels: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(
      Object.entries(labels).map(([name, value]) => {
        const most = this.#limits.labelValueLength;
        if (value.length > most) this.changes.note('label_cut', value);
        return [name, shortened(value.toWellFormed(), most)];
      }),
    );
  }
}

/** Samples were added at 0: what is one point moves by its start. */
function atOnce(block: Block, timeMs: number): Block {
  return block.samples.length === 0 ? block : { ...block, timeStartMs: timeMs, timeEndMs: timeMs + 1 };
}

/** Samples with times of their own, in a file that began at `fileTimeMs` and is said to have begun at `timeMs`. */
function timed(block: Block, timeMs: number, fileTimeMs: number): Block {
  const { samples, timeStartMs, timeEndMs } = block;
  if (timeEndMs - timeStartMs > LONGEST_MS) {
    // More than is taken at once: all at its beginning, to be spread over its time.
    return atOnce(
      mergeBlocks([{ ...block, samples: { ...samples, time: samples.time.map(() => 0) } }]),
      timeMs,
    );
  }
  const shift = timeMs - fileTimeMs;
  return { ...block, timeStartMs: timeStartMs + shift, timeEndMs: timeEndMs + shift };
}

function keyOf({ name, file, line, column, startLine, systemName, binary, kind }: ImportedFrame): string {
  if (file === undefined && binary === undefined && line === undefined && kind === undefined) return name;
  return [name, file, line, column, startLine, systemName, binary, kind].join('\0');
}
