import { FleetflameError } from '../errors.ts';
import { type FrameIndex } from './flame-table.ts';
import { FrameInterner, grown } from './frame-interner.ts';
import { NodeTable } from './node-table.ts';

/** A shared table is at least so many times smaller than the one before it. */
const SHRINK = 4;
/** Room that a copy has for new nodes at the least. */
const MIN_ROOM = 1024;

/** Nodes that are added between two steps. */
const NODES_PER_STEP = 1 << 14;

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
 * are one backward pass when all is in. Children are found through hash tables, which a tree shares
 * with its copies: each table holds the nodes of a range of numbers, and what is added to a copy goes
 * to a table of its own.
 */
export class FlameTree {
  readonly frames: FrameInterner;
  length = 1;
  /** Columns of the nodes, `length` entries in use; replaced when they grow. Row 0 is the root. */
  parent = new Int32Array(64);
  frame = new Uint32Array(64);
  depth = new Uint16Array(64);
  self = new Float64Array(64);
  /** Frames deeper than FLAME_TREE_MAX_DEPTH; their value counts at the deepest node that is kept. */
  framesTooDeep = 0;

  readonly #maxNodes: number;
  /** Tables that are not written any more, nodes ascending. */
  #shared: readonly NodeTable[] = [];
  /** Holds the nodes beyond the shared ones. */
  #own = new NodeTable(1);

  constructor(options: FlameTreeOptions = {}) {
    this.frames = options.frames ?? new FrameInterner();
    this.#maxNodes = options.maxNodes ?? FLAME_TREE_MAX_NODES;
    this.parent[0] = -1;
  }

  /** The child of `parent` with this frame, created if it is not there. */
  child(parent: TreeNode, frame: FrameIndex): TreeNode {
    for (let i = 0; i < this.#shared.length; i++) {
      const table = this.#shared[i]!;
      // Nodes that are younger than a table have no children in it.
      if (parent >= table.end) continue;
      const node = table.find(parent, frame);
      if (node > 0) return node;
    }
    const own = this.#own;
    const found = own.find(parent, frame);
    if (found > 0) return found;
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
    own.insertAt(-found - 1, node, parent, frame);
    if (own.full) this.#own = this.#tableOf(own.start, own.count * 2);
    return node;
  }

  addSelf(node: TreeNode, value: number): void {
    this.self[node] = this.self[node]! + value;
  }

  /** Adds all of another tree's values to this one. */
  addTree(other: FlameTree): void {
    const steps = this.addTreeInSteps(other);
    while (steps.next().done !== true);
  }

  /** The same, some milliseconds at a time. */
  *addTreeInSteps(other: FlameTree): Generator<void, void, undefined> {
    this.reserve(other.length);
    const frameOf = this.frames === other.frames ? undefined : this.frames.internAll(other.frames);
    const nodeOf = new Int32Array(other.length);
    this.addSelf(0, other.self[0]!);
    for (let i = 1; i < other.length; i++) {
      const frame = other.frame[i]!;
      const node = this.child(nodeOf[other.parent[i]!]!, frameOf === undefined ? frame : frameOf[frame]!);
      nodeOf[i] = node;
      this.self[node] = this.self[node]! + other.self[i]!;
      if (i % NODES_PER_STEP === 0) yield;
    }
    this.framesTooDeep += other.framesTooDeep;
  }

  /** A copy; both can be added to without changing the other. */
  clone(): FlameTree {
    this.#share();
    const copy = new FlameTree({ frames: this.frames, maxNodes: this.#maxNodes });
    copy.length = this.length;
    // Some room, so that the first nodes that are added do not copy the columns again.
    const capacity = Math.min(this.#maxNodes, this.length + (this.length >> 4) + MIN_ROOM);
    copy.parent = grown(this.parent.subarray(0, this.length), new Int32Array(capacity));
    copy.frame = grown(this.frame.subarray(0, this.length), new Uint32Array(capacity));
    copy.depth = grown(this.depth.subarray(0, this.length), new Uint16Array(capacity));
    copy.self = grown(this.self.subarray(0, this.length), new Float64Array(capacity));
    copy.framesTooDeep = this.framesTooDeep;
    copy.#shared = this.#shared;
    copy.#own = new NodeTable(this.length);
    return copy;
  }

  /** Bytes that the tree holds, without its frames; tables count as far as they are its own. */
  get sizeBytes(): number {
    return this.parent.length * 18 + this.#own.sizeBytes;
  }

  /** Makes room for so many nodes at once, which is cheaper than growing to them. */
  reserve(nodes: number): void {
    const wanted = Math.min(nodes, this.#maxNodes);
    if (this.parent.length < wanted) this.#growColumns(wanted);
    const missing = wanted - this.#own.start;
    if (missing > this.#own.capacity) this.#own = this.#tableOf(this.#own.start, missing);
  }

  /** Gives back what growing left over; for trees that are kept. */
  trim(): void {
    this.parent = this.parent.slice(0, this.length);
    this.frame = this.frame.slice(0, this.length);
    this.depth = this.depth.slice(0, this.length);
    this.self = this.self.slice(0, this.length);
    if (this.#own.capacity > 4 * this.#own.count) this.#own = this.#tableOf(this.#own.start, this.#own.count);
  }

  /**
   * Makes the own table a shared one. Each is several times smaller than the one before, so that there
   * are few to look into; those that are not are made one.
   */
  #share(): void {
    if (this.#own.count === 0) return;
    const shared = [...this.#shared, this.#own];
    for (;;) {
      const last = shared.at(-1);
      const before = shared.at(-2);
      if (last === undefined || before === undefined || last.count * SHRINK < before.count) break;
      shared.splice(-2, 2, this.#tableOf(before.start, before.count + last.count));
    }
    this.#shared = shared;
    this.#own = new NodeTable(this.length);
  }

  /** A table of the nodes from `start` on, with room for so many in all. */
  #tableOf(start: TreeNode, nodes: number): NodeTable {
    const table = new NodeTable(start, nodes);
    for (let node = Math.max(1, start); node < this.length; node++) {
      const parent = this.parent[node]!;
      const frame = this.frame[node]!;
      table.insertAt(-table.find(parent, frame) - 1, node, parent, frame);
    }
    return table;
  }

  #growColumns(capacity: number): void {
    this.parent = grown(this.parent, new Int32Array(capacity));
    this.frame = grown(this.frame, new Uint32Array(capacity));
    this.depth = grown(this.depth, new Uint16Array(capacity));
    this.self = grown(this.self, new Float64Array(capacity));
  }
}

function tooManyNodes(limit: number): FleetflameError {
  return new FleetflameError(
    'limit_exceeded',
    `The flame graph has more than ${limit} distinct paths. Narrow the selector or the time range.`,
    { field: 'scope' },
  );
}
