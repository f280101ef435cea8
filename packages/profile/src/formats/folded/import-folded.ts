import type { MappingKind } from '../../block/block.ts';
import type { DecodedProfile, DecodeProfileOptions } from '../decoded-profile.ts';
import { eachLine, fileText } from '../file-text.ts';
import type { ImportChanges } from '../import-changes.ts';
import { brokenFile, quoted } from '../import-error.ts';
import { saidType } from '../imported-type.ts';
import type { ImportLimits } from '../limits.ts';
import { ProfileWriter } from '../profile-writer.ts';

/** A count at the end of a line; perf and others may write fractions. */
const COUNT = /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

const COUNT_LENGTH = 40;

export function isCount(text: string): boolean {
  return text.length <= COUNT_LENGTH && COUNT.test(text);
}

/** What perf, flamegraph.pl and async-profiler append to frames. */
const SUFFIX = /_\[([kji01])\]$/;
const KINDS: ReadonlyMap<string, MappingKind> = new Map([
  ['k', 'kernel'],
  ['j', 'jit'],
  ['1', 'jit'],
  ['0', 'interpreted'],
]);

const FORMAT = 'folded';

/**
 * Folded stacks as people have them: beside what decodeFolded reads, several spaces before the count,
 * fractions, annotations (_[k] and the like become the frame's kind, _[i] an inlined call), and lines
 * that are none, which are skipped and counted as long as most are stacks.
 */
export function importFolded(
  bytes: Uint8Array,
  options: DecodeProfileOptions,
  limits: ImportLimits,
  changes: ImportChanges,
): DecodedProfile {
  const type = saidType(options, { type: 'samples', unit: 'count' });
  const writer = new ProfileWriter(FORMAT, options, limits, changes);
  const frames = new FoldedFrames(writer);
  writer.declare(type);
  let stacks = 0;
  let skipped = 0;
  eachLine(fileText(bytes, changes), (line, number) => {
    const text = line.trim();
    if (text === '' || /^#(?:\s|$)/.test(text)) return;
    if (text.length > limits.lineLength) throw writer.tooLarge(`characters in line ${number}`, 'lineLength');
    const end = Math.max(text.lastIndexOf(' '), text.lastIndexOf('\t'));
    const count = text.slice(end + 1);
    if (end < 0 || !isCount(count)) {
      skipped++;
      changes.note('line_skipped', `line ${number}: ${text}`);
      return;
    }
    stacks++;
    writer.countSample();
    writer.add(type, 0, {}, frames.stack(text.slice(0, end).trimEnd()), Number(count));
  });
  if (stacks === 0 || skipped > stacks) {
    const what = stacks === 0 ? 'no line' : `only ${stacks} of ${stacks + skipped} lines`;
    throw brokenFile(
      FORMAT,
      `${what} ends with a count after a space, such as ${quoted('main;read request;parse 30')}`,
    );
  }
  return writer.finish(undefined, 0);
}

class FoldedFrames {
  readonly #writer: ProfileWriter;
  readonly #locations = new Map<string, number>();

  constructor(writer: ProfileWriter) {
    this.#writer = writer;
  }

  stack(text: string): number {
    const writer = this.#writer;
    writer.begin();
    let from = 0;
    while (from <= text.length) {
      let to = this.#frameEnd(text, from);
      // Inlined calls belong to the frame before them.
      while (to < text.length && text.startsWith('_[i]', this.#frameEnd(text, to + 1) - 4)) {
        to = this.#frameEnd(text, to + 1);
      }
      writer.push(this.#location(text.slice(from, to)));
      from = to + 1;
    }
    return writer.end('outermost');
  }

  #frameEnd(text: string, from: number): number {
    const semicolon = text.indexOf(';', from);
    return semicolon < 0 ? text.length : semicolon;
  }

  /** Of a frame with the calls that are inlined into it. */
  #location(text: string): number {
    const known = this.#locations.get(text);
    if (known !== undefined) return known;
    const writer = this.#writer;
    const names = text.split(';').map((frame) => frame.trim());
    const [outer = ''] = names;
    const suffix = SUFFIX.exec(outer)?.[1] ?? '';
    const kind = KINDS.get(suffix);
    const plain = names.map((name) => name.replace(SUFFIX, ''));
    const lines = plain.toReversed().flatMap((name) => [writer.function({ name }), 0]);
    const binary =
      kind === undefined ? 0 : writer.builder.string(kind === 'kernel' ? '[kernel]' : `[${kind}]`);
    const mapping = kind === undefined ? 0 : writer.builder.mapping(binary, 0, kind);
    const location = writer.newLocation(0, 0, lines, mapping);
    this.#locations.set(text, location);
    return location;
  }
}
