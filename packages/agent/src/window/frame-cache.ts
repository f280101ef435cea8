/**
 * (space, address) → location index, as an open-addressing hash table in typed arrays: one look-up per frame of
 * every sample, without an object.
 *
 * space is a number below 2^32 that says which table the address belongs to; the caller packs into it what
 * makes the same address mean something else (binary, process, whether it is a return address).
 */
const EMPTY = 0xffff_ffff;
const FIRST_SLOTS = 4096;

export class FrameCache {
  #slots = FIRST_SLOTS;
  #size = 0;
  #space = new Uint32Array(FIRST_SLOTS);
  #low = new Uint32Array(FIRST_SLOTS);
  #high = new Uint32Array(FIRST_SLOTS);
  #value = new Uint32Array(FIRST_SLOTS).fill(EMPTY);

  get size(): number {
    return this.#size;
  }

  /** -1 when absent. */
  get(space: number, low: number, high: number): number {
    const value = this.#value[this.#slotOf(space, low, high)]!;
    return value === EMPTY ? -1 : value;
  }

  set(space: number, low: number, high: number, value: number): void {
    if (this.#size * 2 >= this.#slots) this.#grow();
    const slot = this.#slotOf(space, low, high);
    if (this.#value[slot] === EMPTY) this.#size++;
    this.#space[slot] = space;
    this.#low[slot] = low;
    this.#high[slot] = high;
    this.#value[slot] = value;
  }

  #slotOf(space: number, low: number, high: number): number {
    // Multiply and shift (Knuth): low bits of addresses are alike, so the high bits of the product are folded in.
    let hash = Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1) ^ Math.imul(space, 0xc2b2_ae35);
    hash ^= hash >>> 15;
    const mask = this.#slots - 1;
    let slot = hash & mask;
    while (
      this.#value[slot] !== EMPTY &&
      (this.#low[slot] !== low || this.#high[slot] !== high || this.#space[slot] !== space)
    ) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const { length } = this.#value;
    const space = this.#space;
    const low = this.#low;
    const high = this.#high;
    const value = this.#value;
    this.#slots = length * 2;
    this.#space = new Uint32Array(this.#slots);
    this.#low = new Uint32Array(this.#slots);
    this.#high = new Uint32Array(this.#slots);
    this.#value = new Uint32Array(this.#slots).fill(EMPTY);
    this.#size = 0;
    for (let i = 0; i < length; i++) {
      if (value[i] !== EMPTY) this.set(space[i]!, low[i]!, high[i]!, value[i]!);
    }
  }
}
