import type { DecodedProfile, DecodeProfileOptions } from '../decoded-profile.ts';
import { eachLine, fileText } from '../file-text.ts';
import type { ImportChanges } from '../import-changes.ts';
import { brokenFile } from '../import-error.ts';
import { importedType, saidType } from '../imported-type.ts';
import type { ImportLimits } from '../limits.ts';
import { ProfileWriter } from '../profile-writer.ts';
import { parsePerfFrame, PerfFrames } from './perf-frames.ts';
import { parsePerfHeader } from './perf-header.ts';
import type { PerfHeader } from './perf-header.ts';

const FORMAT = 'perf-script';

/** Events whose period is CPU time in nanoseconds. */
const CLOCKS = new Set(['cpu-clock', 'task-clock']);

/**
 * The text of `perf script`: a header line per sample, its frames below, innermost first, then an
 * empty line; or header and frame on one line where no call chains were recorded.
 *
 *   app  4711/4712 [003] 100.000001:   10101010 cpu-clock:pppH:
 *                 401100 parse+0x10 (/srv/app)
 *                 401200 main+0x20 (/srv/app)
 *
 * Each event gives samples/count; where the period is printed, also its sum: nanoseconds of CPU for
 * clocks, counts of the event for others. The thread's name becomes thread_name; process and thread
 * ids, CPU and time of single samples are not kept, nor are addresses of frames that have a name.
 */
export function importPerfScript(
  bytes: Uint8Array,
  options: DecodeProfileOptions,
  limits: ImportLimits,
  changes: ImportChanges,
): DecodedProfile {
  const writer = new ProfileWriter(FORMAT, options, limits, changes);
  const samples = new PerfSamples(writer, options);
  eachLine(fileText(bytes, changes), (line, number) => {
    if (line.length > limits.lineLength) throw writer.tooLarge(`characters in line ${number}`, 'lineLength');
    samples.line(line, number);
  });
  samples.flush();
  if (samples.count === 0) {
    throw brokenFile(
      FORMAT,
      'no line is the header of a sample, such as "app 4711 100.000001: 10101010 cpu-clock:"',
    );
  }
  return writer.finish(undefined, samples.durationMs);
}

class PerfSamples {
  count = 0;
  readonly #writer: ProfileWriter;
  readonly #options: DecodeProfileOptions;
  readonly #frames: PerfFrames;
  readonly #types = new Map<string, { readonly samples: string; readonly values: string | undefined }>();
  #header: PerfHeader | undefined;
  #firstTime = Infinity;
  #lastTime = -Infinity;

  constructor(writer: ProfileWriter, options: DecodeProfileOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#frames = new PerfFrames(writer);
  }

  /** From the first to the last sample. */
  get durationMs(): number {
    return this.#lastTime > this.#firstTime ? (this.#lastTime - this.#firstTime) * 1000 : 0;
  }

  line(line: string, number: number): void {
    if (line.trim() === '') {
      this.flush();
      return;
    }
    if (line.startsWith('#')) return;
    const inSample = this.#header !== undefined;
    // Frames are the most lines, and a header has no address first.
    const frame = inSample ? parsePerfFrame(line) : undefined;
    if (frame !== undefined) {
      this.#frames.push(frame);
      return;
    }
    const header = parsePerfHeader(line, !inSample);
    if (header === undefined) {
      // Source lines (-F srcline) stand below the frame that they are of.
      if (!inSample || !/^\s+\S+:\d+/.test(line))
        this.#writer.changes.note('line_skipped', `line ${number}: ${line.trim()}`);
      return;
    }
    this.flush();
    this.#header = header;
    this.#frames.begin();
    const only = header.rest === '' ? undefined : parsePerfFrame(header.rest);
    if (only === undefined) return;
    // Without call chains the line is the whole sample.
    this.#frames.push(only);
    this.flush();
  }

  /** Adds the sample at hand. */
  flush(): void {
    const header = this.#header;
    if (header === undefined) return;
    this.#header = undefined;
    this.count++;
    const writer = this.#writer;
    writer.countSample();
    if (header.time !== undefined) {
      this.#firstTime = Math.min(this.#firstTime, header.time);
      this.#lastTime = Math.max(this.#lastTime, header.time);
    }
    const stack = this.#frames.end();
    const labels: Record<string, string> = header.comm === '' ? {} : { thread_name: header.comm };
    const types = this.#typesOf(header);
    writer.add(types.samples, 0, labels, stack, 1);
    if (types.values !== undefined && header.period !== undefined)
      writer.add(types.values, 0, labels, stack, header.period);
  }

  #typesOf({ event, period }: PerfHeader): { readonly samples: string; readonly values: string | undefined } {
    const key = `${event} ${period === undefined}`;
    const known = this.#types.get(key);
    if (known !== undefined) return known;
    const types = eventTypes(event, period !== undefined, this.#options);
    this.#types.set(key, types);
    return types;
  }
}

function eventTypes(
  event: string,
  hasPeriod: boolean,
  options: DecodeProfileOptions,
): { readonly samples: string; readonly values: string | undefined } {
  // cycles:u, cpu/cycles/u and cycles:pppH are cycles.
  const name = event
    .replace(/:[a-zA-Z]*$/, '')
    .replace(/^\w+\/([\w-]+)[^/]*\/\w*$/, '$1')
    .replaceAll(':', '_');
  if (options.type !== undefined && options.type !== '')
    return { samples: saidType(options, { type: 'samples' }), values: undefined };
  if (name === '' || CLOCKS.has(name)) {
    return {
      samples: importedType('samples', 'count'),
      values: hasPeriod ? importedType('cpu', 'nanoseconds') : undefined,
    };
  }
  return {
    samples: `${name}:samples:count:${name}:count`,
    values: hasPeriod ? `${name}:${name}:count:${name}:count` : undefined,
  };
}
