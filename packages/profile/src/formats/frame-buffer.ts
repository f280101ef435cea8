/**
 * The frames of one stack, bounded: of a stack with more than `most` frames the first and the last
 * ones are kept, half each, and a marker stands for those between. Both ends say something: where the
 * program came from, and where the time went.
 *
 *   most 7:  a b c d e f g h i j   →   a b c [4 frames left out] h i j
 */
export class FrameBuffer {
  /** After `finish`: the frames in the order they were pushed. */
  readonly frames: Uint32Array;
  readonly #most: number;
  readonly #head: number;
  /** The last frames pushed, round and round; in use once there are too many. */
  readonly #tail: Uint32Array;
  #pushed = 0;

  /** `words`: makes its arrays. */
  constructor(most: number, words = (length: number): Uint32Array => new Uint32Array(length)) {
    this.#most = most;
    const tail = Math.floor((most - 1) / 2);
    this.#head = most - 1 - tail;
    this.frames = words(most);
    this.#tail = words(tail);
  }

  /** Frames pushed since `clear`. */
  get pushed(): number {
    return this.#pushed;
  }

  clear(): void {
    this.#pushed = 0;
  }

  push(location: number): void {
    const at = this.#pushed++;
    if (at < this.#most) this.frames[at] = location;
    const tail = this.#tail.length;
    if (at > this.#head && tail > 0) this.#tail[at % tail] = location;
  }

  /** Number of frames kept. `marker` gives the location that stands for so many that are not. */
  finish(marker: (leftOut: number) => number): number {
    const most = this.#most;
    if (this.#pushed <= most) return this.#pushed;
    const tail = this.#tail.length;
    this.frames[this.#head] = marker(this.#pushed - this.#head - tail);
    for (let i = 0; i < tail; i++) {
      this.frames[this.#head + 1 + i] = this.#tail[(this.#pushed - tail + i) % tail]!;
    }
    return most;
  }
}
