import type { FrameIndex } from './flame-table.ts';

const MIN_SLOTS = 64;
/** A node is three numbers in the table: its own, its parent's, its frame's. */
const WIDTH = 3;

/**
 * Finds children of tree nodes: an open hash table from (parent, frame) to the child's number. Node 0
 * stands for a free slot, since the root is nobody's child. The key lies beside the number so that a
 * look-up misses one cache line, not three.
 */
export class NodeTable {
  /** First node that it may hold. */
  readonly start: number;
  count = 0;
  readonly #slots: Int32Array;
  readonly #mask: number;

  /** Room for so many nodes: the table is at most half full then. */
  constructor(start: number, nodes = 0) {
    this.start = start;
    let capacity = MIN_SLOTS;
    while (capacity < nodes * 2) capacity *= 2;
    this.#slots = new Int32Array(capacity * WIDTH);
    this.#mask = capacity - 1;
  }

  /** One past the last node that it holds. */
  get end(): number {
    return this.start + this.count;
  }

  get capacity(): number {
    return (this.#mask + 1) / 2;
  }

  get full(): boolean {
    return this.count >= this.capacity;
  }

  get sizeBytes(): number {
    return this.#slots.byteLength;
  }

  /** The child's number; else where it belongs: -1 - slot. */
  find(parent: number, frame: FrameIndex): number {
    const slots = this.#slots;
    const mask = this.#mask;
    let slot = nearSlot(parent, frame) & mask;
    for (let probe = 1; ; probe++) {
      const node = slots[slot * WIDTH]!;
      if (node === 0) return -1 - slot;
      if (slots[slot * WIDTH + 1] === parent && slots[slot * WIDTH + 2] === frame) return node;
      slot = (probe === NEAR_PROBES ? farSlot(parent, frame) : slot + 1) & mask;
    }
  }

  /** Puts a node that `find` did not find where it said; nodes are inserted in ascending order. */
  insertAt(slot: number, node: number, parent: number, frame: FrameIndex): void {
    this.count++;
    this.#slots[slot * WIDTH] = node;
    this.#slots[slot * WIDTH + 1] = parent;
    this.#slots[slot * WIDTH + 2] = frame;
  }
}

/**
 * Where to look for a child first: close to where its parent's number is, so that a walk over
 * neighbouring nodes stays in the cache. A node with many children spills over to `farSlot`, which
 * spreads them evenly, so that they do not fill the places of others.
 */
const NEAR_PROBES = 4;

function nearSlot(parent: number, frame: FrameIndex): number {
  return parent * 2 + (Math.imul(frame, 0x9e3779b1) >>> 29);
}

function farSlot(parent: number, frame: FrameIndex): number {
  const hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame + 1, 0x85ebca6b);
  return hash ^ (hash >>> 15);
}
