import { FRAME_KINDS, type FrameIndex } from './flame-table.ts';

const ROOT_KIND = FRAME_KINDS.indexOf('root');
/** Name of the root frame: everything. */
export const ROOT_FRAME_NAME = 'all';

/**
 * Gives every distinct frame (name, filename, binary, kind, named) one number, in the order of first
 * sight; number 0 is the root frame. Strings are interned apart, so that a caller that knows the
 * string numbers of its block looks a frame up without touching text.
 */
export class FrameInterner {
  length = 0;
  /** Columns of the frames, `length` entries in use; replaced when they grow. */
  name = new Uint32Array(256);
  filename = new Uint32Array(256);
  binary = new Uint32Array(256);
  kind = new Uint8Array(256);
  named = new Uint8Array(256);
  readonly strings: string[] = [''];

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
    const mask = this.#slots.length - 1;
    let slot = hashFrame(name, filename, binary, kind) & mask;
    for (;;) {
      const found = this.#slots[slot]! - 1;
      if (found < 0) break;
      if (
        this.name[found] === name &&
        this.filename[found] === filename &&
        this.binary[found] === binary &&
        this.kind[found] === kind &&
        this.named[found] === named
      ) {
        return found;
      }
      slot = (slot + 1) & mask;
    }
    const frame = this.length++;
    if (frame === this.name.length) this.#growColumns();
    this.name[frame] = name;
    this.filename[frame] = filename;
    this.binary[frame] = binary;
    this.kind[frame] = kind;
    this.named[frame] = named;
    this.#slots[slot] = frame + 1;
    if (this.length * 2 > this.#slots.length) this.#rehash();
    return frame;
  }

  /** This interner's number of each of the other's frames. Every text is looked up once. */
  internAll(other: FrameInterner): Uint32Array {
    const strings = Uint32Array.from(other.strings, (text) => this.string(text));
    const frames = new Uint32Array(other.length);
    for (let f = 0; f < other.length; f++) {
      frames[f] = this.internStrings(
        strings[other.name[f]!]!,
        strings[other.filename[f]!]!,
        strings[other.binary[f]!]!,
        other.kind[f]!,
        other.named[f]!,
      );
    }
    return frames;
  }

  /** Bytes that it holds, roughly. */
  get sizeBytes(): number {
    return this.#textBytes + this.name.length * 14 + this.#slots.length * 4;
  }

  nameOf(frame: FrameIndex): string {
    return this.strings[this.name[frame]!]!;
  }

  filenameOf(frame: FrameIndex): string {
    return this.strings[this.filename[frame]!]!;
  }

  binaryOf(frame: FrameIndex): string {
    return this.strings[this.binary[frame]!]!;
  }

  /** By name, then filename, binary, kind: a total order that does not depend on the numbers. */
  compare(a: FrameIndex, b: FrameIndex): number {
    return (
      compareText(this.nameOf(a), this.nameOf(b)) ||
      compareText(this.filenameOf(a), this.filenameOf(b)) ||
      compareText(this.binaryOf(a), this.binaryOf(b)) ||
      this.kind[a]! - this.kind[b]! ||
      this.named[a]! - this.named[b]!
    );
  }

  #growColumns(): void {
    this.name = grown(this.name, new Uint32Array(this.name.length * 2));
    this.filename = grown(this.filename, new Uint32Array(this.filename.length * 2));
    this.binary = grown(this.binary, new Uint32Array(this.binary.length * 2));
    this.kind = grown(this.kind, new Uint8Array(this.kind.length * 2));
    this.named = grown(this.named, new Uint8Array(this.named.length * 2));
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let frame = 0; frame < this.length; frame++) {
      let slot =
        hashFrame(this.name[frame]!, this.filename[frame]!, this.binary[frame]!, this.kind[frame]!) & mask;
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

function hashFrame(name: number, filename: number, binary: number, kind: number): number {
  let hash = Math.imul(name + 1, 0x9e3779b1) ^ Math.imul(filename + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(binary * 8 + kind + 1, 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}
