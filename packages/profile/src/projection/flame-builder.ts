/**
 * Sums blocks into one tree of frames: flame graph and top table are read off it. Stacks are never
 * turned into lists; each stack row is mapped to its node once per group and block:
 *
 *   stack row ──parent's node──▶ (node, frame) of each line of its location ──▶ node
 *
 * Inlined lines become frames of their own; recursion is kept. Frames are named by the block's lines,
 * else by `symbolize`, else binary+0xaddr, and the value of such leaves is accounted by reason.
 */
import { MAPPING_KINDS, type Block, type LocationIndex, type StackIndex } from '../block/block.ts';
import { FRAME_KINDS, type FrameIndex, type FrameKind } from './flame-table.ts';
import { FlameTree, type TreeNode } from './flame-tree.ts';
import { grown } from './frame-interner.ts';
import { touchedStacks, type GroupSums, type StackSums } from './stack-sums.ts';
import {
  symbolizeLocation,
  symbolizeNothing,
  UNNAMED_REASONS,
  type Symbolize,
  type UnnamedReason,
} from './symbolize.ts';

/** Value of leaf frames without a name. */
export interface UnnamedSelf {
  /** Base name of the binary. */
  readonly binary: string;
  readonly buildId: string;
  readonly reason: UnnamedReason;
  readonly self: number;
}

const LABEL_KIND = FRAME_KINDS.indexOf('label');
const FRAME_KIND_OF_MAPPING: Readonly<Record<(typeof MAPPING_KINDS)[number], FrameKind>> = {
  unknown: 'unknown',
  native: 'native',
  kernel: 'kernel',
  jit: 'jit',
  interpreted: 'interpreted',
  vdso: 'native',
};
const FRAME_KIND_NUMBER = MAPPING_KINDS.map((kind) => FRAME_KINDS.indexOf(FRAME_KIND_OF_MAPPING[kind]));

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
  readonly #unnamed = new Map<
    string,
    { binary: string; buildId: string; reason: UnnamedReason; self: number }
  >();

  constructor(options: FlameBuilderOptions = {}) {
    this.#groupBy = options.groupBy ?? [];
    this.tree = options.tree ?? new FlameTree();
  }

  /** Value of leaf frames without a name, largest first. */
  get unnamed(): UnnamedSelf[] {
    return [...this.#unnamed.values()]
      .filter((entry) => entry.self !== 0)
      .sort((a, b) => b.self - a.self || (unnamedKey(a) < unnamedKey(b) ? -1 : 1));
  }

  /** Adds the sums of `sumStacks(block, selection, groupBy)`. */
  addBlock(block: Block, sums: StackSums, symbolize: Symbolize = symbolizeNothing): void {
    // Most often a stack row is a node of its own.
    if (this.tree.length === 1) this.tree.reserve(countTouched(block, sums));
    const frames = new BlockFrames(block, this.tree, symbolize);
    const nodes = new BlockNodes(block, this.tree, frames);
    for (const group of sums.groups) {
      nodes.startGroup(this.#groupNode(group));
      for (let i = 0; i < group.stacks.length; i++) {
        const stack = group.stacks[i]!;
        const value = group.sums[i]!;
        this.tree.addSelf(nodes.nodeOf(stack), value);
        if (stack !== 0) frames.addLeaf(block.stacks.location[stack]!, value);
      }
    }
    for (const entry of frames.unnamed()) this.#addUnnamed(entry);
  }

  /** Adds all that another builder with the same group-by has summed. */
  addBuilder(other: FlameBuilder): void {
    this.tree.addTree(other.tree);
    for (const entry of other.#unnamed.values()) this.#addUnnamed(entry);
  }

  /** A copy that can be added to without changing this one. */
  clone(): FlameBuilder {
    const copy = new FlameBuilder({ groupBy: this.#groupBy, tree: this.tree.clone() });
    for (const [key, entry] of this.#unnamed) copy.#unnamed.set(key, { ...entry });
    return copy;
  }

  /** Bytes that it holds, roughly, without its frames. */
  get sizeBytes(): number {
    return this.tree.sizeBytes + this.#unnamed.size * 400;
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

  #addUnnamed(entry: UnnamedSelf): void {
    const key = unnamedKey(entry);
    const known = this.#unnamed.get(key);
    if (known === undefined) this.#unnamed.set(key, { ...entry });
    else known.self += entry.self;
  }
}

function countTouched(block: Block, sums: StackSums): number {
  let count = 1;
  for (const is of touchedStacks(block, sums)) count += is;
  return count;
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

/** The frames of a block's locations in the tree's numbers, found when first needed. */
class BlockFrames {
  readonly #block: Block;
  readonly #tree: FlameTree;
  readonly #symbolize: Symbolize;
  /** Position in `chains` of a location's frames, 0: not looked up. */
  readonly #chainOf: Uint32Array;
  /** Number of frames, then the frames, outermost first. Entry 0 is unused. */
  #chains = new Uint32Array(1024);
  #chainEnd = 1;
  /** Tree's string number + 1 of each string of the block, 0: not asked. */
  readonly #stringOf: Uint32Array;
  /** Tree's string number + 1 of the base name of each mapping's file. */
  readonly #binaryOf: Uint32Array;
  /** Value of leaves per location, and UNNAMED_REASONS number + 1 of those without a name. */
  readonly #leafSelf: Float64Array;
  readonly #reasonOf: Uint8Array;

  constructor(block: Block, tree: FlameTree, symbolize: Symbolize) {
    this.#block = block;
    this.#tree = tree;
    this.#symbolize = symbolize;
    this.#chainOf = new Uint32Array(block.locations.length);
    this.#leafSelf = new Float64Array(block.locations.length);
    this.#reasonOf = new Uint8Array(block.locations.length);
    this.#stringOf = new Uint32Array(block.strings.length);
    this.#binaryOf = new Uint32Array(block.mappings.length);
  }

  /** The node below `node` that the location's frames lead to. */
  descend(tree: FlameTree, node: TreeNode, location: LocationIndex): TreeNode {
    const chain = this.#chainOf[location]! || this.#resolve(location);
    const end = chain + this.#chains[chain]!;
    let at = node;
    for (let i = chain + 1; i <= end; i++) at = tree.child(at, this.#chains[i]!);
    return at;
  }

  addLeaf(location: LocationIndex, value: number): void {
    this.#leafSelf[location] = this.#leafSelf[location]! + value;
  }

  *unnamed(): Iterable<UnnamedSelf> {
    const { locations, mappings, strings } = this.#block;
    for (let location = 0; location < locations.length; location++) {
      const self = this.#leafSelf[location]!;
      const reason = UNNAMED_REASONS[this.#reasonOf[location]! - 1];
      if (self === 0 || reason === undefined) continue;
      const mapping = locations.mapping[location]!;
      const binary = baseName(strings[mappings.file[mapping]!]!);
      yield { binary, buildId: strings[mappings.buildId[mapping]!]!, reason, self };
    }
  }

  #noteUnnamed(location: LocationIndex, reason: UnnamedReason): void {
    this.#reasonOf[location] = UNNAMED_REASONS.indexOf(reason) + 1;
  }

  #resolve(location: LocationIndex): number {
    const { locations, mappings } = this.#block;
    const start = locations.lineStart[location]!;
    const end = locations.lineStart[location + 1]!;
    const mapping = locations.mapping[location]!;
    const kind = FRAME_KIND_NUMBER[mappings.kind[mapping]!] ?? 0;
    const chain = this.#chainEnd;
    let length = 0;
    if (end > start) {
      length = end - start;
      this.#reserve(length);
      if (this.#block.functions.name[locations.lineFunction[start]!] === 0)
        this.#noteUnnamed(location, 'no_symbols');
      // Lines are innermost first, frames outermost first.
      for (let line = end - 1, at = chain + 1; line >= start; line--, at++) {
        this.#chains[at] = this.#functionFrame(location, locations.lineFunction[line]!, mapping, kind);
      }
    } else {
      const lines = symbolizeLocation(this.#block, location, this.#symbolize);
      if (typeof lines === 'string' || lines.length === 0) {
        length = 1;
        this.#reserve(length);
        this.#chains[chain + 1] = this.#unnamedFrame(location, mapping, kind);
        this.#noteUnnamed(location, typeof lines === 'string' ? lines : 'not_covered');
      } else {
        length = lines.length;
        this.#reserve(length);
        const binary = this.#binary(mapping);
        const { frames } = this.#tree;
        for (let i = 0; i < length; i++) {
          const { name, filename } = lines[length - 1 - i]!;
          const frame = frames.internStrings(frames.string(name), frames.string(filename), binary, kind, 1);
          this.#chains[chain + 1 + i] = frame;
        }
      }
    }
    this.#chains[chain] = length;
    this.#chainEnd = chain + 1 + length;
    this.#chainOf[location] = chain;
    return chain;
  }

  #reserve(length: number): void {
    const needed = this.#chainEnd + 1 + length;
    if (needed <= this.#chains.length) return;
    this.#chains = grown(this.#chains, new Uint32Array(Math.max(needed, this.#chains.length * 2)));
  }

  #functionFrame(location: LocationIndex, fn: number, mapping: number, kind: number): FrameIndex {
    const { functions } = this.#block;
    const name = functions.name[fn]!;
    // A line whose function has no name says no more than the address.
    if (name === 0) return this.#unnamedFrame(location, mapping, kind);
    return this.#tree.frames.internStrings(
      this.#string(name),
      this.#string(functions.filename[fn]!),
      this.#binary(mapping),
      kind,
      1,
    );
  }

  #unnamedFrame(location: LocationIndex, mapping: number, kind: number): FrameIndex {
    const { frames } = this.#tree;
    const binary = this.#binary(mapping);
    const file = frames.strings[binary]! || '[unknown]';
    const name = `${file}+0x${this.#block.locations.address[location]!.toString(16)}`;
    return frames.internStrings(frames.string(name), 0, binary, kind, 0);
  }

  #string(string: number): number {
    let known = this.#stringOf[string]!;
    if (known === 0) {
      known = this.#tree.frames.string(this.#block.strings[string]!) + 1;
      this.#stringOf[string] = known;
    }
    return known - 1;
  }

  #binary(mapping: number): number {
    let known = this.#binaryOf[mapping]!;
    if (known === 0) {
      const file = this.#block.strings[this.#block.mappings.file[mapping]!]!;
      known = this.#tree.frames.string(baseName(file)) + 1;
      this.#binaryOf[mapping] = known;
    }
    return known - 1;
  }
}

/** Last part of a path: libc.so.6 of /usr/lib/libc.so.6. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
