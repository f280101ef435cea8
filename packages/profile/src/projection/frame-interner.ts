import { FRAME_KINDS, SEVERAL_BUILDS, type FrameIndex } from './flame-table.ts';
import { FramePlaces } from './frame-places.ts';

const ROOT_KIND = FRAME_KINDS.indexOf('root');
const INLINED_KIND = FRAME_KINDS.indexOf('inlined');
/** Kinds that the function of an inlined frame can have where it is called. */
const CALLED_KINDS = (['native', 'unknown', 'kernel', 'jit', 'interpreted'] as const).map((kind) =>
  FRAME_KINDS.indexOf(kind),
);
/** In `form`: the frame has no name. */
const UNNAMED = 0;
const NAMED = 1;
/** In `form`: no name but an address, whose halves stand in the columns `name` and `filename`. */
const ADDRESS = 2;
/** What a frame without a known binary is called. */
export const UNKNOWN_BINARY = '[unknown]';
/** Name of the root frame: everything. */
export const ROOT_FRAME_NAME = 'all';

/**
 * Gives every distinct frame (name, filename, binary, kind, named) one number, in the order of first
 * sight; number 0 is the root frame. Strings are interned apart, so that a caller that knows the
 * string numbers of its block looks a frame up without touching text. Frames that have an address for
 * a name, of which a stripped binary has as many as samples, get their text when it is asked for.
 */
export class FrameInterner {
  length = 0;
  /** FRAME_KINDS number of each frame, `length` entries in use; replaced when it grows. */
  kind = new Uint8Array(256);
  readonly strings: string[] = [''];
  /** Where the functions of frames begin, by build. */
  readonly #places = new FramePlaces();

  #name = new Uint32Array(256);
  #filename = new Uint32Array(256);
  #binary = new Uint32Array(256);
  #form = new Uint8Array(256);
  readonly #stringIndex = new Map<string, number>([['', 0]]);
  #textBytes = 0;
  /** Open addressing: frame number + 1, 0 is free; at most half full. */
  #slots = new Int32Array(1024);

  constructor() {
    this.intern(ROOT_FRAME_NAME, '', '', ROOT_KIND, 1);
  }

  string(text: string): number {
    let index = this.#stringIndex.get(text);
    if (index === undefined) {
      index = this.strings.length;
      this.strings.push(text);
      this.#stringIndex.set(text, index);
      this.#textBytes += text.length + 64;
    }
    return index;
  }

  intern(name: string, filename: string, binary: string, kind: number, named: number): FrameIndex {
    return this.internStrings(this.string(name), this.string(filename), this.string(binary), kind, named);
  }

  /** `intern` for string numbers that `string` returned. */
  internStrings(name: number, filename: number, binary: number, kind: number, named: number): FrameIndex {
    return this.#intern(name, filename, binary, kind, named === 0 ? UNNAMED : NAMED);
  }

  /** The frame named binary+0xaddress; `binary` is a string number. */
  internAddress(addressLow: number, addressHigh: number, binary: number, kind: number): FrameIndex {
    return this.#intern(addressLow, addressHigh, binary, kind, ADDRESS);
  }

  /** Notes that the frame's function begins on a line in a build; `build` is a string number. */
  notePlace(frame: FrameIndex, build: number, startLine: number): void {
    this.#places.note(frame, build, startLine);
  }

  /** For an inlined frame, the same function where it is called, if that frame is marked in `inUse`; else the frame. */
  calledFrame(frame: FrameIndex, inUse: Uint8Array): FrameIndex {
    if (this.kind[frame] !== INLINED_KIND) return frame;
    for (const kind of CALLED_KINDS) {
      const slot = this.#find(
        this.#name[frame]!,
        this.#filename[frame]!,
        this.#binary[frame]!,
        kind,
        this.#form[frame]!,
      );
      const found = this.#slots[slot]! - 1;
      if (found >= 0 && inUse[found] === 1) return found;
    }
    return frame;
  }

  /** The slot that holds the frame, or the free one where it belongs. */
  #find(name: number, filename: number, binary: number, kind: number, form: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashFrame(name, filename, binary, kind) & mask;
    for (;;) {
      const found = this.#slots[slot]! - 1;
      if (
        found < 0 ||
        (this.#name[found] === name &&
          this.#filename[found] === filename &&
          this.#binary[found] === binary &&
          this.kind[found] === kind &&
          this.#form[found] === form)
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #intern(name: number, filename: number, binary: number, kind: number, form: number): FrameIndex {
    const slot = this.#find(name, filename, binary, kind, form);
    const found = this.#slots[slot]! - 1;
    if (found >= 0) return found;
    const frame = this.length++;
    if (frame === this.kind.length) this.#growColumns();
    this.#name[frame] = name;
    this.#filename[frame] = filename;
    this.#binary[frame] = binary;
    this.kind[frame] = kind;
    this.#form[frame] = form;
    this.#slots[slot] = frame + 1;
    if (this.length * 2 > this.#slots.length) this.#rehash();
    return frame;
  }

  /** This interner's number of each of the other's frames. Every text is looked up once. */
  internAll(other: FrameInterner): Uint32Array {
    const strings = Uint32Array.from(other.strings, (text) => this.string(text));
    const frames = new Uint32Array(other.length);
    for (let f = 0; f < other.length; f++) {
      const form = other.#form[f]!;
      const name = other.#name[f]!;
      const filename = other.#filename[f]!;
      frames[f] = this.#intern(
        form === ADDRESS ? name : strings[name]!,
        form === ADDRESS ? filename : strings[filename]!,
        strings[other.#binary[f]!]!,
        other.kind[f]!,
        form,
      );
      for (let place = other.#places.firstOf(f); place !== 0; place = other.#places.nextOf(place)) {
        const build = strings[other.#places.buildOf(place)]!;
        this.#places.note(frames[f]!, build, other.#places.lineOf(place));
      }
    }
    return frames;
  }

  /** Bytes that it holds, roughly. */
  get sizeBytes(): number {
    return this.#textBytes + this.kind.length * 14 + this.#slots.length * 4 + this.#places.sizeBytes;
  }

  nameOf(frame: FrameIndex): string {
    if (this.#form[frame] !== ADDRESS) return this.strings[this.#name[frame]!]!;
    const binary = this.strings[this.#binary[frame]!]! || UNKNOWN_BINARY;
    return `${binary}+0x${hexOf(this.#filename[frame]!, this.#name[frame]!)}`;
  }

  filenameOf(frame: FrameIndex): string {
    return this.#form[frame] === ADDRESS ? '' : this.strings[this.#filename[frame]!]!;
  }

  binaryOf(frame: FrameIndex): string {
    return this.strings[this.#binary[frame]!]!;
  }

  /**
   * The build of the frame's function, of those builds of its binary that an answer is about; "" where
   * there is no build id, SEVERAL_BUILDS where there are several.
   */
  buildOf(frame: FrameIndex, builds: ReadonlySet<string> | undefined): string {
    if (builds === undefined) return '';
    let only: string | undefined;
    for (let place = this.#places.firstOf(frame); place !== 0; place = this.#places.nextOf(place)) {
      const build = this.strings[this.#places.buildOf(place)]!;
      if (!builds.has(build)) continue;
      if (only !== undefined) return SEVERAL_BUILDS;
      only = build;
    }
    if (only !== undefined) return only;
    // An address says nothing about the build.
    if (builds.size > 1) return SEVERAL_BUILDS;
    const [build = ''] = builds;
    return build;
  }

  /** Line on which the frame's function begins, 0 where that is not known or not the same in all these builds. */
  startLineOf(frame: FrameIndex, builds: ReadonlySet<string> | undefined): number {
    let line = 0;
    for (let place = this.#places.firstOf(frame); place !== 0; place = this.#places.nextOf(place)) {
      if (builds?.has(this.strings[this.#places.buildOf(place)]!) === false) continue;
      const own = this.#places.lineOf(place);
      if (own === 0 || (line !== 0 && own !== line)) return 0;
      line = own;
    }
    return line;
  }

  /** 1 when the frame has a name, 0 when that is an address. */
  namedOf(frame: FrameIndex): number {
    return this.#form[frame] === NAMED ? 1 : 0;
  }

  /**
   * The frames by name, then filename, binary, kind: a total order that does not depend on the
   * numbers. Makes the text of each frame once.
   */
  sorted(frames: ArrayLike<FrameIndex>): FrameIndex[] {
    const rows = Array.from(frames, (frame) => ({ frame, name: this.nameOf(frame) }));
    rows.sort(
      (a, b) =>
        compareText(a.name, b.name) ||
        compareText(this.filenameOf(a.frame), this.filenameOf(b.frame)) ||
        compareText(this.binaryOf(a.frame), this.binaryOf(b.frame)) ||
        this.kind[a.frame]! - this.kind[b.frame]! ||
        this.namedOf(a.frame) - this.namedOf(b.frame),
    );
    return rows.map(({ frame }) => frame);
  }

  #growColumns(): void {
    const capacity = this.kind.length * 2;
    this.#name = grown(this.#name, new Uint32Array(capacity));
    this.#filename = grown(this.#filename, new Uint32Array(capacity));
    this.#binary = grown(this.#binary, new Uint32Array(capacity));
    this.kind = grown(this.kind, new Uint8Array(capacity));
    this.#form = grown(this.#form, new Uint8Array(capacity));
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let frame = 0; frame < this.length; frame++) {
      const hash = hashFrame(
        this.#name[frame]!,
        this.#filename[frame]!,
        this.#binary[frame]!,
        this.kind[frame]!,
      );
      let slot = hash & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = frame + 1;
    }
    this.#slots = slots;
  }
}

/** Copies `from` to the start of the larger `to`, and returns `to`. */
export function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function hexOf(high: number, low: number): string {
  return high === 0 ? low.toString(16) : `${high.toString(16)}${low.toString(16).padStart(8, '0')}`;
}

function hashFrame(name: number, filename: number, binary: number, kind: number): number {
  let hash = Math.imul(name + 1, 0x9e3779b1) ^ Math.imul(filename + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(binary * 8 + kind + 1, 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}
