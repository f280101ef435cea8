import { FleetflameError } from '../errors.ts';
import { type FrameIndex } from './flame-table.ts';
import { FrameInterner, grown } from './frame-interner.ts';

/** Row of `FlameTree`, in the order of creation: a parent's number is less than its children's. */
export type TreeNode = number;

/**
 * Nodes that one tree may have. 4 Mi nodes are about 150 MB with their hash table, and a thousand
 * times what anybody looks at; a query that needs more is refused and must be narrowed.
 */
export const FLAME_TREE_MAX_NODES = 1 << 22;
/** Depth that a node may have: what the u16 column `depth` holds. */
export const FLAME_TREE_MAX_DEPTH = 0xffff;

/**
 * The tree of frames while it is being summed: node = (parent node, frame), self values only; totals
 * are one backward pass when all is in. Children are found through one hash table for all nodes.
 */
export class FlameTree {
  readonly frames = new FrameInterner();
  length = 1;
  /** Columns of the nodes, `length` entries in use; replaced when they grow. Row 0 is the root. */
  parent = new Int32Array(1024);
  frame = new Uint32Array(1024);
  depth = new Uint16Array(1024);
  self = new Float64Array(1024);
  /** Frames deeper than FLAME_TREE_MAX_DEPTH; their value counts at the deepest node that is kept. */
  framesTooDeep = 0;

  readonly #maxNodes: number;
  /** Open addressing: node number, 0 is free (the root is nobody's child); at most half full. */
  #slots = new Int32Array(4096);

  constructor(options: { readonly maxNodes?: number } = {}) {
    this.#maxNodes = options.maxNodes ?? FLAME_TREE_MAX_NODES;
    this.parent[0] = -1;
  }

  /** The child of `parent` with this frame, created if it is not there. */
  child(parent: TreeNode, frame: FrameIndex): TreeNode {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hashNode(parent, frame) & mask;
    for (;;) {
      const node = slots[slot]!;
      if (node === 0) break;
      if (this.parent[node] === parent && this.frame[node] === frame) return node;
      slot = (slot + 1) & mask;
    }
    const depth = this.depth[parent]! + 1;
    if (depth > FLAME_TREE_MAX_DEPTH) {
      this.framesTooDeep++;
      return parent;
    }
    const node = this.length;
    if (node >= this.#maxNodes) throw tooManyNodes(this.#maxNodes);
    this.length++;
    if (node === this.parent.length) this.#growColumns();
    this.parent[node] = parent;
    this.frame[node] = frame;
    this.depth[node] = depth;
    slots[slot] = node;
    if (this.length * 2 > slots.length) this.#rehash();
    return node;
  }

  addSelf(node: TreeNode, value: number): void {
    this.self[node] = this.self[node]! + value;
  }

  /** Adds all of another tree's values to this one. */
  addTree(other: FlameTree): void {
    const frameOf = new Uint32Array(other.frames.length);
    for (let f = 0; f < other.frames.length; f++) {
      frameOf[f] = this.frames.intern(
        other.frames.nameOf(f),
        other.frames.filenameOf(f),
        other.frames.binaryOf(f),
        other.frames.kind[f]!,
        other.frames.named[f]!,
      );
    }
    const nodeOf = new Int32Array(other.length);
    this.addSelf(0, other.self[0]!);
    for (let i = 1; i < other.length; i++) {
      const node = this.child(nodeOf[other.parent[i]!]!, frameOf[other.frame[i]!]!);
      nodeOf[i] = node;
      this.self[node] = this.self[node]! + other.self[i]!;
    }
    this.framesTooDeep += other.framesTooDeep;
  }

  /** Bytes that the tree holds, roughly. */
  get sizeBytes(): number {
    let text = 0;
    for (const string of this.frames.strings) text += string.length * 2 + 64;
    return this.parent.length * 18 + this.#slots.length * 4 + this.frames.name.length * 22 + text;
  }

  /** Gives back what growing left over; for trees that are kept. */
  trim(): void {
    this.parent = this.parent.slice(0, this.length);
    this.frame = this.frame.slice(0, this.length);
    this.depth = this.depth.slice(0, this.length);
    this.self = this.self.slice(0, this.length);
  }

  #growColumns(): void {
    const capacity = this.parent.length * 2;
    this.parent = grown(this.parent, new Int32Array(capacity));
    this.frame = grown(this.frame, new Uint32Array(capacity));
    this.depth = grown(this.depth, new Uint16Array(capacity));
    this.self = grown(this.self, new Float64Array(capacity));
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let node = 1; node < this.length; node++) {
      let slot = hashNode(this.parent[node]!, this.frame[node]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node;
    }
    this.#slots = slots;
  }
}

function hashNode(parent: TreeNode, frame: FrameIndex): number {
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
