import type { DecodedProfile, DecodeProfileOptions } from '../decoded-profile.ts';
import type { ImportChanges } from '../import-changes.ts';
import { brokenFile } from '../import-error.ts';
import { saidType } from '../imported-type.ts';
import { isObject, listOf, numberOf, parseJsonFile, textOf } from '../json-file.ts';
import type { JsonObject } from '../json-file.ts';
import type { ImportLimits } from '../limits.ts';
import { ProfileWriter } from '../profile-writer.ts';

const FORMAT = 'speedscope';

/** How a unit of speedscope is kept: which sample type, and what one of it is. */
const UNITS: ReadonlyMap<string, { readonly type: string; readonly unit: string; readonly scale: number }> =
  new Map([
    ['none', { type: 'samples', unit: 'count', scale: 1 }],
    ['nanoseconds', { type: 'cpu', unit: 'nanoseconds', scale: 1 }],
    ['microseconds', { type: 'cpu', unit: 'nanoseconds', scale: 1e3 }],
    ['milliseconds', { type: 'cpu', unit: 'nanoseconds', scale: 1e6 }],
    ['seconds', { type: 'cpu', unit: 'nanoseconds', scale: 1e9 }],
    ['bytes', { type: 'space', unit: 'bytes', scale: 1 }],
  ]);

/**
 * speedscope's own file format, https://www.speedscope.app/file-format-schema.json: sampled profiles
 * (stacks with weights) and evented ones (frames that open and close). Times become nanoseconds of the
 * type cpu, unless the push says another; of several profiles each one's name is its thread_name.
 */
export function importSpeedscope(
  bytes: Uint8Array,
  options: DecodeProfileOptions,
  limits: ImportLimits,
  changes: ImportChanges,
): DecodedProfile {
  const file = parseJsonFile(FORMAT, bytes, limits, changes);
  if (!isObject(file) || !isObject(file['shared']))
    throw brokenFile(FORMAT, 'it has no shared frames', 'shared');
  const profiles = listOf(file['profiles']);
  if (profiles.length === 0) throw brokenFile(FORMAT, 'it has no profiles', 'profiles');
  const writer = new ProfileWriter(FORMAT, options, limits, changes);
  const locations = listOf(file['shared']['frames']).map((frame) => frameOf(writer, frame));
  let durationMs = 0;
  for (const [index, profile] of profiles.entries()) {
    const path = `profiles[${index}]`;
    if (!isObject(profile)) throw brokenFile(FORMAT, 'it is no object', path);
    const unitName = textOf(profile['unit']) || 'none';
    const unit = UNITS.get(unitName);
    if (unit === undefined) throw brokenFile(FORMAT, `${unitName} is no unit of speedscope`, `${path}.unit`);
    const name = textOf(profile['name']);
    const reader = new SpeedscopeReader(writer, {
      path,
      locations,
      type: saidType(options, unit),
      scale: unit.scale,
      labels: profiles.length > 1 && name !== '' ? { thread_name: name } : {},
    });
    if (profile['type'] === 'sampled') reader.sampled(profile);
    else if (profile['type'] === 'evented') reader.evented(profile);
    else throw brokenFile(FORMAT, 'a profile is sampled or evented', `${path}.type`);
    const span = (numberOf(profile['endValue']) ?? 0) - (numberOf(profile['startValue']) ?? 0);
    if (unit.unit === 'nanoseconds') durationMs = Math.max(durationMs, (span * unit.scale) / 1e6);
  }
  return writer.finish(undefined, durationMs);
}

function frameOf(writer: ProfileWriter, frame: unknown): number {
  if (!isObject(frame)) return writer.frame({ name: '' });
  const file = textOf(frame['file']);
  return writer.frame({
    name: textOf(frame['name']),
    file: file === '' ? undefined : file,
    line: numberOf(frame['line']) ?? 0,
    column: numberOf(frame['col']),
  });
}

interface SpeedscopeContext {
  readonly path: string;
  readonly locations: readonly number[];
  readonly type: string;
  readonly scale: number;
  readonly labels: Readonly<Record<string, string>>;
}

class SpeedscopeReader {
  readonly #writer: ProfileWriter;
  readonly #context: SpeedscopeContext;
  /** What rounding left over so far: the sum stays right. */
  #carry = 0;

  constructor(writer: ProfileWriter, context: SpeedscopeContext) {
    this.#writer = writer;
    this.#context = context;
    writer.declare(context.type);
  }

  sampled(profile: JsonObject): void {
    const writer = this.#writer;
    const { path } = this.#context;
    const samples = listOf(profile['samples']);
    const weights = listOf(profile['weights']);
    if (weights.length !== samples.length) {
      throw brokenFile(
        FORMAT,
        `there are ${weights.length} weights for ${samples.length} samples`,
        `${path}.weights`,
      );
    }
    for (let i = 0; i < samples.length; i++) {
      writer.countSample();
      writer.begin();
      for (const frame of listOf(samples[i])) writer.push(this.#location(frame, `${path}.samples[${i}]`));
      this.#add(writer.end('outermost'), weights[i], `${path}.weights[${i}]`);
    }
  }

  evented(profile: JsonObject): void {
    const writer = this.#writer;
    const { path } = this.#context;
    const open = new OpenFrames(writer);
    let at = numberOf(profile['startValue']) ?? 0;
    for (const [i, event] of listOf(profile['events']).entries()) {
      const where = `${path}.events[${i}]`;
      const time = isObject(event) ? numberOf(event['at']) : undefined;
      if (!isObject(event) || time === undefined) throw brokenFile(FORMAT, 'it has no time', where);
      if (time < at) throw brokenFile(FORMAT, `it is at ${time}, before the event before it`, where);
      writer.countSample();
      if (open.depth > 0) this.#add(open.stack, time - at, where);
      at = time;
      const frame = event['frame'];
      if (event['type'] === 'O') open.push(frame, this.#location(frame, where));
      else if (event['type'] !== 'C') throw brokenFile(FORMAT, 'an event is O or C', where);
      else if (!open.close(frame)) throw brokenFile(FORMAT, 'it closes a frame that is not open', where);
    }
    const end = numberOf(profile['endValue']) ?? at;
    if (open.depth > 0 && end > at) this.#add(open.stack, end - at, `${path}.endValue`);
  }

  #location(frame: unknown, where: string): number {
    const location = typeof frame === 'number' ? this.#context.locations[frame] : undefined;
    if (location === undefined) throw brokenFile(FORMAT, `there is no frame ${String(frame)}`, where);
    return location;
  }

  #add(stack: number, weight: unknown, where: string): void {
    const { type, scale, labels } = this.#context;
    if (typeof weight !== 'number') throw brokenFile(FORMAT, 'it is no number', where);
    if (weight < 0) {
      this.#writer.changes.note('value_negative', `${where}: ${weight}`);
      return;
    }
    const exact = weight * scale + this.#carry;
    const value = Number.isSafeInteger(Math.round(exact)) ? Math.round(exact) : exact;
    this.#carry = exact - value;
    if (Math.abs(this.#carry) > 1e-3) this.#writer.changes.note('value_rounded', `${where}: ${weight}`);
    this.#writer.add(type, 0, labels, stack, value);
  }
}

/** Frames that are open, outermost first. */
class OpenFrames {
  /** The stack that is open now. */
  stack = 0;
  readonly #writer: ProfileWriter;
  readonly #frames: unknown[] = [];
  readonly #stacks: number[] = [];
  /** How often each frame is open. */
  readonly #open = new Map<unknown, number>();

  constructor(writer: ProfileWriter) {
    this.#writer = writer;
  }

  get depth(): number {
    return this.#frames.length;
  }

  push(frame: unknown, location: number): void {
    this.#frames.push(frame);
    this.#stacks.push(this.stack);
    this.#open.set(frame, (this.#open.get(frame) ?? 0) + 1);
    this.stack = this.#writer.inner(this.stack, location, this.depth);
  }

  /** Closes the frame and what is open inside of it; false when it is not open. */
  close(frame: unknown): boolean {
    if ((this.#open.get(frame) ?? 0) === 0) return false;
    for (;;) {
      const top = this.#frames.pop();
      this.stack = this.#stacks.pop() ?? 0;
      this.#open.set(top, (this.#open.get(top) ?? 1) - 1);
      if (top === frame) return true;
      this.#writer.changes.note('event_mended', 'a frame was closed while others were open inside of it');
    }
  }
}
