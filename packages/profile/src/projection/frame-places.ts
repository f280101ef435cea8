import type { FrameIndex } from './flame-table.ts';

/** In place of a line: functions of this frame begin on several lines of one build (a static function twice). */
const DIFFERENT = 0xffff_ffff;

/**
 * On which line a frame's function begins, by build of its binary. Nearly every frame has one entry; a
 * function that was seen in several builds has one for each, since builds move it.
 */
export class FramePlaces {
  /** Newest entry of each frame, 0: none. */
  #first = new Uint32Array(256);
  /** Columns of the entries; row 0 is unused. The build is a string number of the interner. */
  #build = new Uint32Array(256);
  #line = new Uint32Array(256);
  #before = new Uint32Array(256);
  #length = 1;

  /** Notes that the function begins there in a build; line 0 is unknown. */
  note(frame: FrameIndex, build: number, line: number): void {
    if (frame >= this.#first.length) this.#first = grow(this.#first, frame + 1);
    const first = this.#first[frame]!;
    for (let at = first; at !== 0; at = this.#before[at]!) {
      if (this.#build[at] !== build) continue;
      const known = this.#line[at]!;
      if (line === 0 || line === known) return;
      this.#line[at] = known === 0 ? line : DIFFERENT;
      return;
    }
    const at = this.#length++;
    if (at === this.#build.length) {
      this.#build = grow(this.#build, at + 1);
      this.#line = grow(this.#line, at + 1);
      this.#before = grow(this.#before, at + 1);
    }
    this.#build[at] = build;
    this.#line[at] = line;
    this.#before[at] = first;
    this.#first[frame] = at;
  }

  /** The frame's newest entry, 0: none. */
  firstOf(frame: FrameIndex): number {
    return frame < this.#first.length ? this.#first[frame]! : 0;
  }

  /** The entry before it, 0: none. */
  nextOf(entry: number): number {
    return this.#before[entry]!;
  }

  buildOf(entry: number): number {
    return this.#build[entry]!;
  }

  /** 0 where the line is not known or not one. */
  lineOf(entry: number): number {
    const line = this.#line[entry]!;
    return line === DIFFERENT ? 0 : line;
  }

  get sizeBytes(): number {
    return this.#first.length * 4 + this.#build.length * 12;
  }
}

function grow(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(length, column.length * 2));
  larger.set(column);
  return larger;
}
