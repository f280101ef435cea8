import type { DecodedProfile, DecodeProfileOptions } from '../decoded-profile.ts';
import { fileText } from '../file-text.ts';
import type { ImportChanges } from '../import-changes.ts';
import { brokenFile } from '../import-error.ts';
import { importedType } from '../imported-type.ts';
import type { ImportLimits } from '../limits.ts';
import { ProfileWriter } from '../profile-writer.ts';
import { MemoryMap } from './memory-map.ts';

const FORMAT = 'gperftools-cpu';

/**
 * The binary CPU profile of gperftools: words of the machine, then the text of /proc/self/maps.
 *
 *   0 3 0 period 0          header: words that follow, version, period in µs, padding
 *   count n pc… (n)         a stack, innermost first
 *   0 1 0                   the end
 */
export function importGperftoolsCpu(
  bytes: Uint8Array,
  options: DecodeProfileOptions,
  limits: ImportLimits,
  changes: ImportChanges,
): DecodedProfile {
  const layout = wordLayout(bytes);
  if (layout === undefined) throw brokenFile(FORMAT, 'it does not begin with the words 0, 3, 0');
  const words = new Words(bytes, layout);
  const headerWords = words.at(1);
  const periodUs = words.at(3);
  const end = findEnd(words, 2 + headerWords);
  const map = new MemoryMap(fileText(bytes.subarray(end.endByte), changes));
  const writer = new ProfileWriter(FORMAT, options, limits, changes);
  const types = { samples: importedType('samples', 'count'), cpu: importedType('cpu', 'nanoseconds') };
  for (const type of Object.values(types)) writer.declare(type);
  const locations = new Map<number, number>();
  const locationOf = (address: number): number => {
    const known = locations.get(address);
    if (known !== undefined) return known;
    if (locations.size >= limits.frames) throw writer.tooLarge('distinct frames', 'frames');
    const location = map.location(writer.builder, address);
    locations.set(address, location);
    return location;
  };
  let samples = 0;
  for (let at = 2 + headerWords; at < end.word;) {
    const count = words.at(at);
    const depth = words.at(at + 1);
    writer.countSample();
    writer.begin();
    for (let i = 0; i < depth; i++) {
      const address = words.at(at + 2 + i);
      // Callers are return addresses: the call is before.
      writer.push(locationOf(i === 0 || address === 0 ? address : address - 1));
    }
    const stack = writer.end('innermost');
    writer.add(types.samples, periodUs * 1000, {}, stack, count);
    writer.add(types.cpu, periodUs * 1000, {}, stack, count * periodUs * 1000);
    samples += count;
    at += 2 + depth;
  }
  return writer.finish(undefined, (samples * periodUs) / 1000);
}

interface WordLayout {
  readonly size: 4 | 8;
  readonly little: boolean;
}

const LAYOUTS: readonly WordLayout[] = [
  { size: 8, little: true },
  { size: 4, little: true },
  { size: 8, little: false },
  { size: 4, little: false },
];

/** Words of the file, undefined when it is no such file: 0, at least 3, 0, a period below an hour. */
export function wordLayout(bytes: Uint8Array): WordLayout | undefined {
  return LAYOUTS.find((layout) => {
    if (bytes.length < 5 * layout.size) return false;
    const words = new Words(bytes, layout);
    const headerWords = words.at(1);
    const isHeader = words.at(0) === 0 && headerWords >= 3 && headerWords <= 64 && words.at(2) === 0;
    return isHeader && words.at(3) > 0 && words.at(3) < 3.6e9;
  });
}

/** Where the end marker is; all stacks before it are whole. */
function findEnd(words: Words, first: number): { readonly word: number; readonly endByte: number } {
  for (let at = first; at + 1 < words.length;) {
    const count = words.at(at);
    const depth = words.at(at + 1);
    if (depth === 0 || depth > words.length - at - 2) break;
    if (count === 0 && depth === 1 && words.at(at + 2) === 0)
      return { word: at, endByte: (at + 3) * words.size };
    at += 2 + depth;
  }
  throw brokenFile(FORMAT, 'its end marker (0, 1, 0) is missing: it is cut short');
}

class Words {
  readonly size: number;
  readonly length: number;
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(bytes: Uint8Array, { size, little }: WordLayout) {
    this.size = size;
    this.length = Math.floor(bytes.length / size);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = little;
  }

  /** Exact up to 2^53: addresses of user space are. */
  at(word: number): number {
    if (word >= this.length) throw brokenFile(FORMAT, 'it is cut short');
    const at = word * this.size;
    if (this.size === 4) return this.#view.getUint32(at, this.#little);
    const low = this.#view.getUint32(this.#little ? at : at + 4, this.#little);
    const high = this.#view.getUint32(this.#little ? at + 4 : at, this.#little);
    return high * 0x1_0000_0000 + low;
  }
}
