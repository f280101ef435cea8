/** Which code ranges are overridden by others that were written later. Ranges are [start, end), in order of writing. */

export interface Ranges {
  readonly length: number;
  readonly start: Float64Array;
  readonly end: Float64Array;
}

/** Indices in ascending order of start, then of writing. */
export function sortedByStart(start: Float64Array, length: number): Uint32Array {
  const order = new Uint32Array(length);
  let sorted = true;
  for (let i = 0; i < length; i++) {
    order[i] = i;
    if (i > 0 && start[i - 1]! > start[i]!) sorted = false;
  }
  return sorted ? order : order.sort((a, b) => start[a]! - start[b]! || a - b);
}

/**
 * 1 for every range that a later one overlaps. For range i these are
 *
 *   later ranges that start at or before i's start and reach over it: of all that reach over it (kept in a
 *   heap, latest on top) the latest decides;
 *   later ranges that start within i: starts ascend in `order`, so the nearest later one to the right decides.
 */
export function overriddenWithin(ranges: Ranges, order: Uint32Array): Uint8Array {
  const { length, start, end } = ranges;
  const dead = new Uint8Array(length);
  const heap = new LatestHeap(length);
  for (let p = 0; p < length; p++) {
    const i = order[p]!;
    while (heap.size > 0 && end[heap.latest]! <= start[i]!) heap.pop();
    if (heap.size > 0 && heap.latest > i) dead[i] = 1;
    heap.push(i);
  }
  const stack = new Uint32Array(length);
  let depth = 0;
  for (let p = length - 1; p >= 0; p--) {
    const i = order[p]!;
    while (depth > 0 && stack[depth - 1]! < i) depth--;
    if (depth > 0 && start[stack[depth - 1]!]! < end[i]!) dead[i] = 1;
    stack[depth++] = i;
  }
  return dead;
}

/** A binary heap of indices with the largest on top. */
class LatestHeap {
  size = 0;
  readonly #items: Uint32Array;

  constructor(capacity: number) {
    this.#items = new Uint32Array(capacity);
  }

  get latest(): number {
    return this.#items[0]!;
  }

  push(item: number): void {
    const items = this.#items;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (items[parent]! >= item) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): void {
    const items = this.#items;
    const item = items[--this.size]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && items[child + 1]! > items[child]!) child++;
      if (items[child]! <= item) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = item;
  }
}
