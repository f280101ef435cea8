/** Arrays of numbers that double when full, so that appending is amortized constant time. */

const FIRST_CAPACITY = 64;

export class GrowableU32 {
  #array: Uint32Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity = FIRST_CAPACITY) {
    this.#array = new Uint32Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#array.length)
      this.#array = grown(this.#array, new Uint32Array(this.#length * 2));
    this.#array[this.#length++] = value;
  }

  get capacity(): number {
    return this.#array.length;
  }

  /** Keeps its memory. */
  clear(): void {
    this.#length = 0;
  }

  at(index: number): number {
    return this.#array[index]!;
  }

  /** A view that the next push may leave behind. */
  view(): Uint32Array {
    return this.#array.subarray(0, this.#length);
  }
}

export class GrowableF64 {
  #array: Float64Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity = FIRST_CAPACITY) {
    this.#array = new Float64Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#array.length)
      this.#array = grown(this.#array, new Float64Array(this.#length * 2));
    this.#array[this.#length++] = value;
  }

  /** Keeps its memory. */
  clear(): void {
    this.#length = 0;
  }

  /** A view that the next push may leave behind. */
  view(): Float64Array {
    return this.#array.subarray(0, this.#length);
  }
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
