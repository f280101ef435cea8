/**
 * Sums blocks into one tree of frames: flame graph and top table are read off it. Stacks are never
 * turned into lists; each stack row is mapped to its node once per group and block:
 *
 *   stack row ──parent's node──▶ (node, frame) of each line of its location ──▶ node
 *
 * Inlined lines become frames of their own kind; recursion is kept. Frames are named by the block's lines,
 * else by `symbolize`, else binary+0xaddr, and the value of such leaves is accounted by reason.
 */
import type { Block, StackIndex } from '../block/block.ts';
import { BlockFrames, LocationFrames, type UnnamedSelf } from './block-frames.ts';
import { FRAME_KINDS } from './flame-table.ts';
import { stoppedStacks, type StoppedStacks } from './stopped-stacks.ts';
import { FlameTree, type TreeNode } from './flame-tree.ts';
import { touchedStacks, type GroupSums, type StackSums } from './stack-sums.ts';
import { symbolizeNothing, type Symbolize, type UnnamedReason } from './symbolize.ts';

/** Stacks between two steps: a hundred new nodes each at most, mostly, and a tenth of a microsecond each. */
const STACKS_PER_STEP = 256;

const LABEL_KIND = FRAME_KINDS.indexOf('label');
/** Name of the top-level frame of series that do not have the group-by label. */
export function missingLabelName(label: string): string {
  return `(no ${label})`;
}

export interface FlameBuilderOptions {
  /** Labels whose values become the top levels, outermost first. */
  readonly groupBy?: readonly string[];
  /** What to add to; default: an empty tree. */
  readonly tree?: FlameTree;
}

export class FlameBuilder {
  readonly tree: FlameTree;
  readonly #groupBy: readonly string[];
  /** By binary: the build ids of the code that stacks pass through. */
  readonly #builds = new Map<string, Set<string>>();
  readonly #unnamed = new Map<
    string,
    { binary: string; buildId: string; reason: UnnamedReason; self: number }
  >();

  constructor(options: FlameBuilderOptions = {}) {
    this.#groupBy = options.groupBy ?? [];
    this.tree = options.tree ?? new FlameTree();
  }

  /** Build ids of each binary that stacks pass through, "" for none. */
  get builds(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#builds;
  }

  /** Value of stacks whose callers could not all be found, largest first. */
  get stopped(): readonly StoppedStacks[] {
    return stoppedStacks(this.tree);
  }

  /** Value of leaf frames without a name, largest first. */
  get unnamed(): UnnamedSelf[] {
    return [...this.#unnamed.values()]
      .filter((entry) => entry.self !== 0)
      .sort((a, b) => b.self - a.self || (unnamedKey(a) < unnamedKey(b) ? -1 : 1));
  }

  /**
   * Adds the sums of `sumStacks(block, selection, groupBy)`. What was looked up of the block's frames
   * is kept in `known`, which serves for any question about this block, as long as `symbolize` gives
   * the same names; it must be of the tree's frames.
   */
  addBlock(
    block: Block,
    sums: StackSums,
    symbolize: Symbolize = symbolizeNothing,
    known = new LocationFrames(block.locations.length, this.tree.frames),
  ): void {
    const steps = this.addBlockInSteps(block, sums, symbolize, known);
    while (steps.next().done !== true);
  }

  /** The same, some milliseconds at a time: who answers others as well looks after them in between. */
  *addBlockInSteps(
    block: Block,
    sums: StackSums,
    symbolize: Symbolize,
    known: LocationFrames,
  ): Generator<void, void, undefined> {
    if (this.tree.length === 1) this.tree.reserve(expectedNodes(block, sums));
    const frames = new BlockFrames(block, known, symbolize);
    const nodes = new BlockNodes(block, this.tree, frames);
    const leafSelf = new Float64Array(block.locations.length);
    for (const group of sums.groups) {
      nodes.startGroup(this.#groupNode(group));
      for (let i = 0; i < group.stacks.length; i++) {
        const stack = group.stacks[i]!;
        const value = group.sums[i]!;
        this.tree.addSelf(nodes.nodeOf(stack), value);
        if (stack === 0) continue;
        const leaf = block.stacks.location[stack]!;
        leafSelf[leaf] = leafSelf[leaf]! + value;
        if (i % STACKS_PER_STEP === STACKS_PER_STEP - 1) yield;
      }
    }
    for (const entry of frames.unnamed(leafSelf)) this.#addUnnamed(entry);
    for (const [binary, buildId] of frames.builds()) this.#addBuild(binary, buildId);
  }

  /** Adds all that another builder with the same group-by has summed. */
  addBuilder(other: FlameBuilder): void {
    const steps = this.addBuilderInSteps(other);
    while (steps.next().done !== true);
  }

  /** The same, some milliseconds at a time. */
  *addBuilderInSteps(other: FlameBuilder): Generator<void, void, undefined> {
    yield* this.tree.addTreeInSteps(other.tree);
    for (const entry of other.#unnamed.values()) this.#addUnnamed(entry);
    this.#addBuilds(other);
  }

  /** A copy that can be added to without changing this one. */
  clone(): FlameBuilder {
    const copy = new FlameBuilder({ groupBy: this.#groupBy, tree: this.tree.clone() });
    for (const [key, entry] of this.#unnamed) copy.#unnamed.set(key, { ...entry });
    copy.#addBuilds(this);
    return copy;
  }

  /** Bytes that it holds, roughly, without its frames. */
  get sizeBytes(): number {
    let builds = 0;
    for (const { size } of this.#builds.values()) builds += size;
    return this.tree.sizeBytes + this.#unnamed.size * 400 + this.#builds.size * 200 + builds * 50;
  }

  /** Gives back what growing left over; for sums that are kept. */
  trim(): void {
    this.tree.trim();
  }

  #groupNode(group: GroupSums): TreeNode {
    let node = 0;
    for (let i = 0; i < this.#groupBy.length; i++) {
      const value = group.values[i] ?? '';
      const name = value === '' ? missingLabelName(this.#groupBy[i]!) : value;
      node = this.tree.child(node, this.tree.frames.intern(name, '', '', LABEL_KIND, 1));
    }
    return node;
  }

  #addBuilds(other: FlameBuilder): void {
    for (const [binary, buildIds] of other.#builds) {
      for (const buildId of buildIds) this.#addBuild(binary, buildId);
    }
  }

  #addBuild(binary: string, buildId: string): void {
    const known = this.#builds.get(binary);
    if (known === undefined) this.#builds.set(binary, new Set([buildId]));
    else known.add(buildId);
  }

  #addUnnamed(entry: UnnamedSelf): void {
    const key = unnamedKey(entry);
    const known = this.#unnamed.get(key);
    if (known === undefined) this.#unnamed.set(key, { ...entry });
    else known.self += entry.self;
  }
}

/** Nodes that the stacks come to, roughly: each is a node, and there are some above the leaves. */
function expectedNodes(block: Block, sums: StackSums): number {
  const leaves = sums.groups.reduce((count, group) => count + group.stacks.length, 0);
  const usual = leaves * 3;
  if (block.stacks.length <= usual) return block.stacks.length;
  // Long stacks that share little: growing to their nodes again and again costs more than counting them.
  let touched = 0;
  for (const is of touchedStacks(block, sums)) touched += is;
  return touched;
}

function unnamedKey(entry: UnnamedSelf): string {
  return JSON.stringify([entry.binary, entry.buildId, entry.reason]);
}

/** Which node each stack of a block is, within one group; found from the nearest ancestor known. */
class BlockNodes {
  readonly #parent: Uint32Array;
  readonly #location: Uint32Array;
  readonly #tree: FlameTree;
  readonly #frames: BlockFrames;
  readonly #node: Int32Array;
  /** A stack's node counts when its entry here is the group's number. */
  readonly #groupOf: Int32Array;
  readonly #path: Uint32Array;
  #group = 0;

  constructor(block: Block, tree: FlameTree, frames: BlockFrames) {
    this.#parent = block.stacks.parent;
    this.#location = block.stacks.location;
    this.#tree = tree;
    this.#frames = frames;
    this.#node = new Int32Array(block.stacks.length);
    this.#groupOf = new Int32Array(block.stacks.length);
    this.#path = new Uint32Array(block.stacks.length);
  }

  startGroup(top: TreeNode): void {
    this.#group++;
    this.#node[0] = top;
    this.#groupOf[0] = this.#group;
  }

  nodeOf(stack: StackIndex): TreeNode {
    const group = this.#group;
    const groupOf = this.#groupOf;
    let at = stack;
    let depth = 0;
    while (groupOf[at] !== group) {
      this.#path[depth++] = at;
      at = this.#parent[at]!;
    }
    let node = this.#node[at]!;
    while (depth > 0) {
      at = this.#path[--depth]!;
      node = this.#frames.descend(this.#tree, node, this.#location[at]!);
      this.#node[at] = node;
      groupOf[at] = group;
    }
    return node;
  }
}
