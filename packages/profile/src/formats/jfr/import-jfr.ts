import type { MappingKind } from '../../block/block.ts';
import type { DecodedProfile, DecodeProfileOptions } from '../decoded-profile.ts';
import type { ImportChanges } from '../import-changes.ts';
import { brokenFile } from '../import-error.ts';
import { importedType } from '../imported-type.ts';
import type { ImportLimits } from '../limits.ts';
import { ProfileWriter } from '../profile-writer.ts';
import { JfrBytes } from './jfr-bytes.ts';
import { JfrChunk } from './jfr-chunk.ts';
import type { JfrObject } from './jfr-chunk.ts';

const FORMAT = 'jfr';

const EXECUTION = 'jdk.ExecutionSample';
const NATIVE = 'jdk.NativeMethodSample';
const CPU_TIME = 'jdk.CPUTimeSample';
const SETTING = 'jdk.ActiveSetting';
const SAMPLES = new Set([EXECUTION, NATIVE, CPU_TIME]);

const TYPES = {
  samples: importedType('samples', 'count'),
  cpu: importedType('cpu', 'nanoseconds'),
  /** Threads that wait, of async-profiler in wall mode. */
  wall: 'wall:samples:count:wall:nanoseconds',
  /** Threads in native code: on a CPU or waiting, the JVM cannot tell. */
  native: 'native_method:samples:count::',
};

/**
 * Recordings of JDK Flight Recorder and async-profiler: their execution samples. Each is one sample, and
 * CPU time of the sampling period where the recording says it, at the second in which it was taken. Samples of native methods are a type of
 * their own. Chunks are read one after another; other events are left out, which is noted.
 */
export function importJfr(
  bytes: Uint8Array,
  options: DecodeProfileOptions,
  limits: ImportLimits,
  changes: ImportChanges,
): DecodedProfile {
  const writer = new ProfileWriter(FORMAT, options, limits, changes);
  const file = new JfrBytes(bytes);
  let firstMs: number | undefined;
  let startMs = Infinity;
  let endMs = 0;
  let chunks = 0;
  for (let at = 0; at < bytes.length;) {
    const chunk = new JfrChunk(file, at, bytes.length);
    firstMs ??= chunk.startMs;
    startMs = Math.min(startMs, chunk.startMs);
    endMs = Math.max(endMs, chunk.startMs + chunk.durationMs);
    new JfrSamples(writer, chunk, firstMs).read();
    at = chunk.end;
    // Types are declared again in every chunk: some kilobytes each.
    if (++chunks > MOST_CHUNKS) throw brokenFile(FORMAT, `it has more than ${MOST_CHUNKS} chunks`);
  }
  writer.declare(TYPES.samples);
  return writer.finish(startMs, endMs - startMs);
}

const MOST_CHUNKS = 10_000;

class JfrSamples {
  readonly #writer: ProfileWriter;
  readonly #chunk: JfrChunk;
  /** Where the recording's seconds begin. */
  readonly #firstMs: number;
  readonly #stacks = new Map<number, number>();
  readonly #methods = new Map<string, number>();
  readonly #threads = new Map<number, Readonly<Record<string, string>>>();
  /** Nanoseconds between samples, by the class of the event. */
  readonly #periods = new Map<number, number>();

  constructor(writer: ProfileWriter, chunk: JfrChunk, firstMs: number) {
    this.#writer = writer;
    this.#chunk = chunk;
    this.#firstMs = firstMs;
  }

  read(): void {
    const chunk = this.#chunk;
    chunk.eachEvent(new Set([SETTING]), (setting) => this.#readSetting(setting));
    chunk.eachEvent(SAMPLES, (sample) => {
      this.#writer.countSample();
      this.#add(sample);
    });
    for (const [name, count] of chunk.countEvents()) {
      if (!SAMPLES.has(name) && /Alloc|Sample|Monitor|ThreadPark|WallClock|Malloc/.test(name)) {
        this.#writer.changes.note('event_left_out', name, count);
      }
    }
  }

  #readSetting(setting: JfrObject): void {
    const chunk = this.#chunk;
    const name = chunk.text(setting, 'name');
    if (name !== 'period' && name !== 'interval' && name !== 'throttle') return;
    const nanos = nanosOf(chunk.text(setting, 'value'));
    if (nanos > 0) this.#periods.set(chunk.key(setting, 'id'), nanos);
  }

  #add(sample: JfrObject): void {
    const writer = this.#writer;
    const chunk = this.#chunk;
    const stack = this.#stack(sample);
    const labels = this.#labels(sample);
    const atMs = this.#secondOf(chunk.msOf(chunk.key(sample, 'startTime')));
    if (sample.class.name === NATIVE) {
      writer.add(TYPES.native, 0, labels, stack, 1, atMs);
      return;
    }
    if (chunk.text(chunk.object(sample, 'state'), 'name') === 'STATE_SLEEPING') {
      writer.add(TYPES.wall, 0, labels, stack, 1, atMs);
      return;
    }
    const own = chunk.field(sample, 'samplingPeriod');
    const period = typeof own === 'number' && own > 0 ? own : (this.#periods.get(sample.class.id) ?? 0);
    writer.add(TYPES.samples, period, labels, stack, 1, atMs);
    if (period > 0) writer.add(TYPES.cpu, period, labels, stack, period, atMs);
  }

  /** Samples of one second of the recording are one point, as those of agents are. */
  #secondOf(ms: number): number {
    return this.#firstMs + Math.floor((ms - this.#firstMs) / 1000) * 1000;
  }

  #labels(sample: JfrObject): Readonly<Record<string, string>> {
    const field = sample.class.name === CPU_TIME ? 'eventThread' : 'sampledThread';
    const key = this.#chunk.key(sample, field);
    const known = this.#threads.get(key);
    if (known !== undefined) return known;
    const thread = this.#chunk.object(sample, field);
    const name = this.#chunk.text(thread, 'javaName') || this.#chunk.text(thread, 'osName');
    const labels: Record<string, string> = name === '' ? {} : { thread_name: name };
    this.#threads.set(key, labels);
    return labels;
  }

  #stack(sample: JfrObject): number {
    const key = this.#chunk.key(sample, 'stackTrace');
    const known = this.#stacks.get(key);
    if (known !== undefined) return known;
    const writer = this.#writer;
    writer.begin();
    const trace = this.#chunk.object(sample, 'stackTrace');
    if (trace !== undefined) {
      for (const frame of this.#chunk.objects(trace, 'frames')) writer.push(this.#frame(frame));
      // The recorder keeps the innermost frames (stackdepth, 64 by default).
      if (this.#chunk.field(trace, 'truncated') === 1)
        writer.push(writer.frame({ name: '[outer frames not recorded]' }));
    }
    const stack = writer.end('innermost');
    this.#stacks.set(key, stack);
    return stack;
  }

  #frame(frame: JfrObject): number {
    const chunk = this.#chunk;
    const line = chunk.key(frame, 'lineNumber');
    const type = chunk.key(frame, 'type');
    const key = `${chunk.key(frame, 'method')} ${line} ${type}`;
    const known = this.#methods.get(key);
    if (known !== undefined) return known;
    const method = chunk.object(frame, 'method');
    const owner = method === undefined ? undefined : chunk.object(method, 'type');
    const className = chunk.text(owner, 'name').replaceAll('/', '.');
    const name = chunk.text(method, 'name');
    const kind = kindOf(chunk.text(chunk.object(frame, 'type'), 'description'));
    const location = this.#writer.frame({
      name: className === '' ? name : `${className}.${name}`,
      systemName: className === '' ? undefined : `${className}.${name}${chunk.text(method, 'descriptor')}`,
      line: line > 0 ? line : 0,
      binary: kind === 'kernel' ? '[kernel]' : kind === 'native' ? '[native]' : '[jvm]',
      kind,
    });
    this.#methods.set(key, location);
    return location;
  }
}

/** Frames of one method are the same whether it was compiled yet or not. */
function kindOf(type: string): MappingKind {
  if (type === 'Kernel') return 'kernel';
  if (type === 'C++' || type === 'Native') return type === 'C++' ? 'native' : 'jit';
  return 'jit';
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 6e10 };

function nanosOf(text: string): number {
  const [, amount, unit = 'ns'] = /^(\d{1,15})\s*([a-z]{1,2})?$/.exec(text) ?? [];
  return amount === undefined ? 0 : Number(amount) * (UNITS[unit] ?? 0);
}
