import type { DecodedProfile, DecodeProfileOptions } from '../decoded-profile.ts';
import { eachLine, fileText } from '../file-text.ts';
import type { ImportChanges } from '../import-changes.ts';
import { brokenFile, quoted } from '../import-error.ts';
import { importedType } from '../imported-type.ts';
import type { ImportLimits } from '../limits.ts';
import { ProfileWriter } from '../profile-writer.ts';
import { MemoryMap } from './memory-map.ts';

const FORMAT = 'heap-text';

/** heap profile: objects: bytes [objects: bytes] @ kind/rate */
const HEADER = /^heap profile:\s*(\d+):\s*(\d+)\s*\[\s*(\d+):\s*(\d+)\s*\]\s*@\s*(\w*)\/?(\d*)\s*$/;
/** jemalloc: heap_v2/rate */
const JEMALLOC = /^heap_v2\/(\d+)\s*$/;
const SAMPLE = /^\s*(\d+):\s*(\d+)\s*\[\s*(\d+):\s*(\d+)\s*\]\s*@((?:\s+0x[0-9a-f]+)*)\s*$/i;
const JEMALLOC_STACK = /^@((?:\s+0x[0-9a-f]+)*)\s*$/i;
const JEMALLOC_TOTAL = /^\s*t\*:\s*(\d+):\s*(\d+)\s*\[\s*(\d+):\s*(\d+)\s*\]\s*$/;

const TYPES = ['inuse_objects', 'inuse_space', 'alloc_objects', 'alloc_space'].map((type) =>
  importedType(type, type.endsWith('space') ? 'bytes' : 'count'),
);

/** Whether a text is a heap profile. */
export function isHeapText(start: string): boolean {
  return start.startsWith('heap profile:') || JEMALLOC.test(start.split('\n', 1)[0] ?? '');
}

/**
 * Heap profiles that are text: of gperftools (heapprofile, heap_v2/rate, growth), of Go with debug=1, and
 * of jemalloc (heap_v2/rate; the sums over threads). Where only some allocations were sampled, counts
 * are scaled to all, by the rate and the average size, as pprof does.
 */
export function importHeapText(
  bytes: Uint8Array,
  options: DecodeProfileOptions,
  limits: ImportLimits,
  changes: ImportChanges,
): DecodedProfile {
  const text = fileText(bytes, changes);
  const mapped = /^(?:MAPPED_LIBRARIES:|--- Memory map: ---)[ \t\r]*$/m.exec(text);
  const body = mapped === null ? text : text.slice(0, mapped.index);
  const writer = new ProfileWriter(FORMAT, options, limits, changes);
  for (const type of TYPES) writer.declare(type);
  const map = new MemoryMap(mapped === null ? '' : text.slice(mapped.index));
  const reader = new HeapReader(writer, map, readNames(body), limits);
  eachLine(body, (line, number) => {
    if (line.length > limits.lineLength) throw writer.tooLarge(`characters in line ${number}`, 'lineLength');
    reader.line(line, number);
  });
  if (!reader.started) throw brokenFile(FORMAT, 'it has no header');
  return writer.finish(undefined, 0);
}

interface NamedAddress {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

/** Go with debug=1 names the frames of the sample above: # address, name+offset, file:line, with tabs between. */
function readNames(body: string): ReadonlyMap<number, NamedAddress> {
  const names = new Map<number, NamedAddress>();
  if (!body.includes('\n#\t0x')) return names;
  eachLine(body, (line) => {
    if (!line.startsWith('#\t0x') || line.length > MOST_NAMED_LINE) return;
    const [, address = '', place = '', source = ''] = line.split(/\t+/);
    const plus = place.lastIndexOf('+0x');
    const colon = source.lastIndexOf(':');
    if (plus <= 0 || colon <= 0) return;
    names.set(Number(address), {
      name: place.slice(0, plus),
      file: source.slice(0, colon),
      line: Number(source.slice(colon + 1)),
    });
  });
  return names;
}

/** A name and a path. */
const MOST_NAMED_LINE = 16_384;

class HeapReader {
  readonly #writer: ProfileWriter;
  readonly #map: MemoryMap;
  readonly #names: ReadonlyMap<number, NamedAddress>;
  readonly #limits: ImportLimits;
  readonly #locations = new Map<number, number>();
  /** Bytes between samples; 0 or 1: every allocation is in the file; -1: the header was not read. */
  #rate = -1;
  /** jemalloc: of the values that come next. */
  #stack: string | undefined;

  constructor(
    writer: ProfileWriter,
    map: MemoryMap,
    names: ReadonlyMap<number, NamedAddress>,
    limits: ImportLimits,
  ) {
    this.#writer = writer;
    this.#map = map;
    this.#names = names;
    this.#limits = limits;
  }

  get started(): boolean {
    return this.#rate >= 0;
  }

  line(line: string, number: number): void {
    if (line.trim() === '' || line.startsWith('#')) return;
    if (this.#rate < 0) {
      this.#rate = rateOf(line);
      return;
    }
    const [, ...sample] = SAMPLE.exec(line) ?? [];
    if (sample.length > 0) {
      this.#add(sample, sample[4] ?? '');
      return;
    }
    const jemalloc = JEMALLOC_STACK.exec(line);
    if (jemalloc !== null) {
      this.#stack = jemalloc[1] ?? '';
      return;
    }
    const [, ...total] = JEMALLOC_TOTAL.exec(line) ?? [];
    if (total.length > 0) {
      // Before the first stack it is that of all stacks.
      if (this.#stack !== undefined) this.#add(total, this.#stack);
      this.#stack = undefined;
      return;
    }
    // Those of single threads are in the sum.
    if (!/^\s*t\d+:/.test(line)) this.#writer.changes.note('line_skipped', `line ${number}: ${line}`);
  }

  #add(values: readonly string[], addresses: string): void {
    const writer = this.#writer;
    writer.countSample();
    writer.begin();
    for (const [address] of addresses.matchAll(/\S+/g)) writer.push(this.#location(Number(address)));
    const stack = writer.end('innermost');
    const [inuse = 0, inuseBytes = 0, alloc = 0, allocBytes = 0] = values.slice(0, 4).map(Number);
    const rate = this.#rate;
    const scaled = [...scaleUp(inuse, inuseBytes, rate), ...scaleUp(alloc, allocBytes, rate)];
    for (const [i, type] of TYPES.entries()) writer.add(type, rate > 1 ? rate : 0, {}, stack, scaled[i] ?? 0);
  }

  #location(address: number): number {
    const known = this.#locations.get(address);
    if (known !== undefined) return known;
    const writer = this.#writer;
    if (this.#locations.size >= this.#limits.frames) throw writer.tooLarge('distinct frames', 'frames');
    const named = this.#names.get(address);
    // The call is before its return address.
    const location =
      named === undefined
        ? this.#map.location(writer.builder, Math.max(0, address - 1))
        : writer.frame(named);
    this.#locations.set(address, location);
    return location;
  }
}

function rateOf(line: string): number {
  const jemalloc = JEMALLOC.exec(line);
  if (jemalloc !== null) return Number(jemalloc[1]);
  const header = HEADER.exec(line.slice(0, 512));
  if (header === null) throw brokenFile(FORMAT, `${quoted(line)} is no header of a heap profile`, 'line 1');
  const rate = header[6] === undefined || header[6] === '' ? 0 : Number(header[6]);
  // Go and old gperftools write twice the rate.
  if (header[5] === 'heap') return Math.floor(rate / 2);
  return header[5] === 'heap_v2' ? rate : 0;
}

/** An allocation of size s is sampled with probability 1 - e^(-s/rate). */
function scaleUp(count: number, bytes: number, rate: number): readonly [number, number] {
  if (count === 0 || bytes === 0 || rate <= 1) return [count, bytes];
  const scale = 1 / (1 - Math.exp(-bytes / count / rate));
  return [Math.round(count * scale), Math.round(bytes * scale)];
}
