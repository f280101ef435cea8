import { FleetflameError } from '../errors.ts';
import { type FrameIndex } from './flame-table.ts';
import { FrameInterner, grown } from './frame-interner.ts';

const MIN_SLOTS = 1024;

/** Row of `FlameTree`, in the order of creation: a parent's number is less than its children's. */
export type TreeNode = number;

/**
 * Nodes that one tree may have. 4 Mi nodes are about 150 MB with their hash table, and a thousand
 * times what anybody looks at; a query that needs more is refused and must be narrowed.
 */
export const FLAME_TREE_MAX_NODES = 1 << 22;
/** Depth that a node may have: what the u16 column `depth` holds. */
export const FLAME_TREE_MAX_DEPTH = 0xffff;

export interface FlameTreeOptions {
  /** Default FLAME_TREE_MAX_NODES. */
  readonly maxNodes?: number;
  /** Shared by trees that will be added to each other: that needs no text then. Default: its own. */
  readonly frames?: FrameInterner;
}

/**
 * The tree of frames while it is being summed: node = (parent node, frame), self values only; totals
 * are one backward pass when all is in. Children are found through one hash table for all nodes.
 */
export class FlameTree {
  readonly frames: FrameInterner;
  length = 1;
  /** Columns of the nodes, `length` entries in use; replaced when they grow. Row 0 is the root. */
  parent = new Int32Array(1024);
  frame = new Uint32Array(1024);
  depth = new Uint16Array(1024);
  self = new Float64Array(1024);
  /** Frames deeper than FLAME_TREE_MAX_DEPTH; their value counts at the deepest node that is kept. */
  framesTooDeep = 0;

  readonly #maxNodes: number;
  /**
   * Open addressing, at most half full: node number, its parent, its frame; node 0 is free, since the
   * root is nobody's child. The key lies beside the number so that a look-up misses one cache line, not three.
   */
  #slots = new Int32Array(3 * MIN_SLOTS);

  constructor(options: FlameTreeOptions = {}) {
    this.frames = options.frames ?? new FrameInterner();
    this.#maxNodes = options.maxNodes ?? FLAME_TREE_MAX_NODES;
    this.parent[0] = -1;
  }

  /** The child of `parent` with this frame, created if it is not there. */
  child(parent: TreeNode, frame: FrameIndex): TreeNode {
    const slots = this.#slots;
    const mask = slots.length / 3 - 1;
    let slot = nearSlot(parent, frame) & mask;
    for (let probe = 1; ; probe++) {
      const node = slots[slot * 3]!;
      if (node === 0) break;
      if (slots[slot * 3 + 1] === parent && slots[slot * 3 + 2] === frame) return node;
      slot = (probe === NEAR_PROBES ? farSlot(parent, frame) : slot + 1) & mask;
    }
    const depth = this.depth[parent]! + 1;
    if (depth > FLAME_TREE_MAX_DEPTH) {
      this.framesTooDeep++;
      return parent;
    }
    const node = this.length;
    if (node >= this.#maxNodes) throw tooManyNodes(this.#maxNodes);
    this.length++;
    if (node === this.parent.length) this.#growColumns(node * 2);
    this.parent[node] = parent;
    this.frame[node] = frame;
    this.depth[node] = depth;
    slots[slot * 3] = node;
    slots[slot * 3 + 1] = parent;
    slots[slot * 3 + 2] = frame;
    if (this.length * 2 > mask) this.#resize((mask + 1) * 2);
    return node;
  }

  addSelf(node: TreeNode, value: number): void {
    this.self[node] = this.self[node]! + value;
  }

  /** Adds all of another tree's values to this one. */
  addTree(other: FlameTree): void {
    this.reserve(other.length);
    const frameOf = this.frames === other.frames ? undefined : this.frames.internAll(other.frames);
    const nodeOf = new Int32Array(other.length);
    this.addSelf(0, other.self[0]!);
    for (let i = 1; i < other.length; i++) {
      const frame = other.frame[i]!;
      const node = this.child(nodeOf[other.parent[i]!]!, frameOf === undefined ? frame : frameOf[frame]!);
      nodeOf[i] = node;
      this.self[node] = this.self[node]! + other.self[i]!;
    }
    this.framesTooDeep += other.framesTooDeep;
  }

  /** A copy that can be added to without changing this tree. */
  clone(): FlameTree {
    const copy = new FlameTree({ frames: this.frames, maxNodes: this.#maxNodes });
    copy.length = this.length;
    copy.parent = this.parent.slice();
    copy.frame = this.frame.slice();
    copy.depth = this.depth.slice();
    copy.self = this.self.slice();
    copy.framesTooDeep = this.framesTooDeep;
    copy.#slots = this.#slots.slice();
    return copy;
  }

  /** Bytes that the tree holds, without its frames. */
  get sizeBytes(): number {
    return this.parent.length * 18 + this.#slots.length * 4;
  }

  /** Makes room for so many nodes at once, which is cheaper than growing to them. */
  reserve(nodes: number): void {
    const wanted = Math.min(nodes, this.#maxNodes);
    if (this.parent.length < wanted) this.#growColumns(wanted);
    let capacity = this.#slots.length / 3;
    while (capacity < wanted * 2) capacity *= 2;
    if (capacity * 3 > this.#slots.length) this.#resize(capacity);
  }

  /** Gives back what growing left over; for trees that are kept. */
  trim(): void {
    this.parent = this.parent.slice(0, this.length);
    this.frame = this.frame.slice(0, this.length);
    this.depth = this.depth.slice(0, this.length);
    this.self = this.self.slice(0, this.length);
    let capacity = MIN_SLOTS;
    while (capacity < this.length * 2) capacity *= 2;
    if (capacity * 3 < this.#slots.length) this.#resize(capacity);
  }

  #growColumns(capacity: number): void {
    this.parent = grown(this.parent, new Int32Array(capacity));
    this.frame = grown(this.frame, new Uint32Array(capacity));
    this.depth = grown(this.depth, new Uint16Array(capacity));
    this.self = grown(this.self, new Float64Array(capacity));
  }

  #resize(capacity: number): void {
    const slots = new Int32Array(capacity * 3);
    const mask = capacity - 1;
    for (let node = 1; node < this.length; node++) {
      const parent = this.parent[node]!;
      const frame = this.frame[node]!;
      let slot = nearSlot(parent, frame) & mask;
      for (let probe = 1; slots[slot * 3] !== 0; probe++) {
        slot = (probe === NEAR_PROBES ? farSlot(parent, frame) : slot + 1) & mask;
      }
      slots[slot * 3] = node;
      slots[slot * 3 + 1] = parent;
      slots[slot * 3 + 2] = frame;
    }
    this.#slots = slots;
  }
}

/**
 * Where to look for a child first: close to where its parent's number is, so that a walk over
 * neighbouring nodes stays in the cache. A node with many children spills over to `farSlot`, which
 * spreads them evenly, so that they do not fill the places of others.
 */
const NEAR_PROBES = 4;

function nearSlot(parent: TreeNode, frame: FrameIndex): number {
  return parent * 2 + (Math.imul(frame, 0x9e3779b1) >>> 29);
}

function farSlot(parent: TreeNode, frame: FrameIndex): number {
  const hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame + 1, 0x85ebca6b);
  return hash ^ (hash >>> 15);
}

function tooManyNodes(limit: number): FleetflameError {
  return new FleetflameError(
    'limit_exceeded',
    `The flame graph has more than ${limit} distinct paths. Narrow the selector or the time range.`,
    { field: 'scope' },
  );
}
