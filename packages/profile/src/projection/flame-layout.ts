/**
 * From a summed tree to a flame table: focus, totals, pruning, order. Nothing here compares strings
 * but the ranking of the frames in use; the rest is counting over typed arrays, linear in the nodes.
 *
 *   self ──backward──▶ total ──▶ the max_nodes widest ──▶ siblings by name ──▶ pre-order rows
 *
 * The result does not depend on the order in which the tree was filled.
 */
import { type FlameTable, type FrameTable } from './flame-table.ts';
import { type FlameTree } from './flame-tree.ts';
import { selectLargest } from './select-largest.ts';

export interface FlameLayoutOptions {
  /** At most so many rows, the root among them; default: all. The narrowest are pruned. */
  readonly maxNodes?: number;
  /**
   * Frame names, outermost first and without the root: only stacks that begin with this path count,
   * so every node's value is its share of the focused subtree. Default: all stacks.
   */
  readonly focus?: readonly string[];
  /** Build ids of each binary that the stacks pass through: `FlameBuilder.builds`. Default: not known. */
  readonly builds?: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface FlameLayout {
  readonly table: FlameTable;
  /** Sum of all values that count. */
  readonly total: number;
  readonly prunedNodes: number;
  /** Self value of the pruned nodes. */
  readonly prunedValue: number;
}

export function layoutFlameTree(tree: FlameTree, options: FlameLayoutOptions = {}): FlameLayout {
  const steps = layoutFlameTreeInSteps(tree, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same, a pass over the tree at a time: who answers others as well looks after them in between. */
export function* layoutFlameTreeInSteps(
  tree: FlameTree,
  options: FlameLayoutOptions = {},
): Generator<void, FlameLayout, undefined> {
  const count = tree.length;
  const self = focusedSelf(tree, options.focus ?? []);
  const total = sumUp(tree, self, false);
  yield;
  const weight = self.some((value) => value < 0) ? sumUp(tree, self, true) : total;
  const maxNodes = Math.max(1, options.maxNodes ?? count);

  // Rows with something in their subtree, and the smallest weight that may still be shown.
  const aliveNodes = new Int32Array(count);
  let aliveCount = 0;
  for (let i = 0; i < count; i++) if (i === 0 || weight[i]! > 0) aliveNodes[aliveCount++] = i;
  yield;
  let threshold = 0;
  if (aliveCount > maxNodes) {
    const weights = new Float64Array(aliveCount);
    for (let k = 0; k < aliveCount; k++) weights[k] = weight[aliveNodes[k]!]!;
    threshold = selectLargest(weights, maxNodes);
  }
  yield;
  const candidates = new Int32Array(aliveCount);
  let candidateCount = 0;
  for (let k = 0; k < aliveCount; k++) {
    const node = aliveNodes[k]!;
    if (node === 0 || weight[node]! >= threshold) candidates[candidateCount++] = node;
  }
  yield;
  const widest = candidates.subarray(0, candidateCount);
  if (candidateCount <= maxNodes) {
    const rows = preOrder(tree, widest);
    yield;
    return assemble(tree, rows, { self, total, weight }, options.builds);
  }
  const ties = cutTies(tree, widest, weight, threshold, maxNodes);
  yield;
  const ordered = preOrder(tree, ties.nodes);
  yield;
  const rows = dropTies(tree, ordered, weight, threshold, maxNodes, ties);
  yield;
  return assemble(tree, rows, { self, total, weight }, options.builds);
}

/** Self values, those of stacks outside the focused path set to 0. */
function focusedSelf(tree: FlameTree, focus: readonly string[]): Float64Array {
  const self = tree.self.subarray(0, tree.length);
  if (focus.length === 0) return self;
  const focused = new Float64Array(tree.length);
  const onPath = new Uint8Array(tree.length);
  onPath[0] = 1;
  for (let i = 1; i < tree.length; i++) {
    if (onPath[tree.parent[i]!] === 0) continue;
    const depth = tree.depth[i]!;
    if (depth <= focus.length && tree.frames.nameOf(tree.frame[i]!) !== focus[depth - 1]) continue;
    onPath[i] = 1;
    if (depth >= focus.length) focused[i] = self[i]!;
  }
  return focused;
}

/** Sum of each node's subtree, of the values or of their magnitudes. */
function sumUp(tree: FlameTree, self: Float64Array, magnitudes: boolean): Float64Array {
  const total = new Float64Array(self);
  if (magnitudes) for (let i = 0; i < total.length; i++) total[i] = Math.abs(total[i]!);
  const parent = tree.parent;
  for (let i = total.length - 1; i > 0; i--) total[parent[i]!] = total[parent[i]!]! + total[i]!;
  return total;
}

/**
 * The nodes (ascending, closed under parent) in pre-order, siblings by frame rank: two stable
 * counting sorts, by rank and then by parent, leave each node's children together and in order.
 */
function preOrder(tree: FlameTree, nodes: Int32Array): Int32Array {
  const count = nodes.length;
  const local = new Int32Array(tree.length).fill(-1);
  for (let k = 0; k < count; k++) local[nodes[k]!] = k;
  const rank = rankFrames(tree, nodes);
  const byRank = countingSort(count, rank.size, (k) => rank.of[tree.frame[nodes[k]!]!]!, undefined);
  const parentOf = new Int32Array(count);
  for (let k = 1; k < count; k++) parentOf[k] = local[tree.parent[nodes[k]!]!]!;
  // The root hangs below a parent of its own, number `count`.
  parentOf[0] = count;
  const byParent = countingSort(count, count + 1, (k) => parentOf[k]!, byRank.order);

  const size = new Int32Array(count).fill(1);
  for (let k = count - 1; k > 0; k--) size[parentOf[k]!] = size[parentOf[k]!]! + size[k]!;
  const position = new Int32Array(count);
  const rows = new Int32Array(count);
  for (let k = 0; k < count; k++) {
    rows[position[k]!] = nodes[k]!;
    let next = position[k]! + 1;
    for (let c = byParent.start[k]!; c < byParent.start[k + 1]!; c++) {
      const child = byParent.order[c]!;
      position[child] = next;
      next += size[child]!;
    }
  }
  return rows;
}

/** Rank of each frame that the nodes use, in the frames' own order. */
function rankFrames(tree: FlameTree, nodes: Int32Array): { readonly of: Int32Array; readonly size: number } {
  const rankOf = new Int32Array(tree.frames.length).fill(-1);
  const used: number[] = [];
  for (const node of nodes) {
    const frame = tree.frame[node]!;
    if (rankOf[frame] !== -1) continue;
    rankOf[frame] = 0;
    used.push(frame);
  }
  const sorted = tree.frames.sorted(used);
  for (let r = 0; r < sorted.length; r++) rankOf[sorted[r]!] = r;
  return { of: rankOf, size: used.length };
}

/** Stable: bucket b holds order[start[b]] to order[start[b + 1]], in the order of `input`. */
function countingSort(
  count: number,
  buckets: number,
  bucketOf: (item: number) => number,
  input: Int32Array | undefined,
): { readonly order: Int32Array; readonly start: Int32Array } {
  const start = new Int32Array(buckets + 1);
  for (let k = 0; k < count; k++) start[bucketOf(k) + 1]!++;
  for (let b = 0; b < buckets; b++) start[b + 1] = start[b + 1]! + start[b]!;
  const next = start.slice();
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const item = input === undefined ? i : input[i]!;
    order[next[bucketOf(item)]!++] = item;
  }
  return { order, start };
}

interface Ties {
  /** Without the ties that are too deep in any order: ascending, closed under parent. */
  readonly nodes: Int32Array;
  /** Of the ties in this depth not all have room. */
  readonly cutDepth: number;
  /** For so many of them. */
  readonly room: number;
}

/**
 * Of the nodes that weigh exactly the threshold the shallowest are kept. Those deeper than where the room ends go before
 * anything is ordered: a million stacks of one sample each have only ties.
 */
function cutTies(
  tree: FlameTree,
  nodes: Int32Array,
  weight: Float64Array,
  threshold: number,
  maxNodes: number,
): Ties {
  const tiesAtDepth = new Map<number, number>();
  let room = maxNodes;
  for (const node of nodes) {
    if (node !== 0 && weight[node] === threshold) {
      tiesAtDepth.set(tree.depth[node]!, (tiesAtDepth.get(tree.depth[node]!) ?? 0) + 1);
    } else room--;
  }
  let cutDepth = -1;
  for (const depth of [...tiesAtDepth.keys()].sort((a, b) => a - b)) {
    cutDepth = depth;
    const ties = tiesAtDepth.get(depth)!;
    if (ties > room) break;
    room -= ties;
  }
  const kept = nodes.filter(
    (node) => node === 0 || weight[node] !== threshold || tree.depth[node]! <= cutDepth,
  );
  return { nodes: kept, cutDepth, room };
}

/** Of the ties in the depth where the room ends, keeps the first. */
function dropTies(
  tree: FlameTree,
  rows: Int32Array,
  weight: Float64Array,
  threshold: number,
  maxNodes: number,
  { cutDepth, room }: Ties,
): Int32Array {
  const kept = new Int32Array(maxNodes);
  let keptCount = 0;
  let left = room;
  for (const node of rows) {
    const isCut = node !== 0 && weight[node] === threshold && tree.depth[node] === cutDepth;
    if (isCut && left-- <= 0) continue;
    kept[keptCount++] = node;
  }
  return kept.subarray(0, keptCount);
}

function assemble(
  tree: FlameTree,
  rows: Int32Array,
  values: { readonly self: Float64Array; readonly total: Float64Array; readonly weight: Float64Array },
  builds: FlameLayoutOptions['builds'],
): FlameLayout {
  const { self, total, weight } = values;
  const length = rows.length;
  const rowOf = new Int32Array(tree.length).fill(-1);
  for (let row = 0; row < length; row++) rowOf[rows[row]!] = row;
  const table = {
    length,
    parent: new Int32Array(length),
    subtreeEnd: new Int32Array(length),
    depth: new Uint16Array(length),
    frame: new Uint32Array(length),
    total: new Float64Array(length),
    self: new Float64Array(length),
    prunedNodes: new Uint32Array(length),
  };
  for (let row = 0; row < length; row++) {
    const node = rows[row]!;
    table.parent[row] = row === 0 ? -1 : rowOf[tree.parent[node]!]!;
    table.subtreeEnd[row] = row + 1;
    table.depth[row] = tree.depth[node]!;
    table.total[row] = total[node]!;
    table.self[row] = self[node]!;
  }
  for (let row = length - 1; row > 0; row--) {
    const parent = table.parent[row]!;
    table.subtreeEnd[parent] = Math.max(table.subtreeEnd[parent]!, table.subtreeEnd[row]!);
  }
  let prunedNodes = 0;
  let prunedValue = 0;
  for (let i = 1; i < tree.length; i++) {
    if (rowOf[i]! >= 0) continue;
    // From here on rowOf is the row of the nearest node that is shown.
    const owner = rowOf[tree.parent[i]!]!;
    rowOf[i] = owner;
    if (!(weight[i]! > 0)) continue;
    table.prunedNodes[owner]!++;
    prunedNodes++;
    prunedValue += self[i]!;
  }
  const frames = compactFrames(tree, rows, table.frame, builds);
  return { table: { ...table, frames }, total: total[0]!, prunedNodes, prunedValue };
}

/** The frames of the rows, numbered in the order of the rows; `frameOfRow` is filled. */
function compactFrames(
  tree: FlameTree,
  rows: Int32Array,
  frameOfRow: Uint32Array,
  builds: FlameLayoutOptions['builds'],
): FrameTable {
  const { frames: interner, frame: frameOfNode } = tree;
  const newFrame = new Int32Array(interner.length).fill(-1);
  const frames: number[] = [];
  for (let row = 0; row < rows.length; row++) {
    const frame = frameOfNode[rows[row]!]!;
    if (newFrame[frame] === -1) {
      newFrame[frame] = frames.length;
      frames.push(frame);
    }
    frameOfRow[row] = newFrame[frame]!;
  }
  const numberOf = new Map<string, number>();
  const strings: string[] = [];
  const stringColumn = (textOf: (frame: number) => string): Uint32Array =>
    Uint32Array.from(frames, (frame) => {
      const text = textOf(frame);
      let number = numberOf.get(text);
      if (number === undefined) {
        number = strings.length;
        strings.push(text);
        numberOf.set(text, number);
      }
      return number;
    });
  return {
    length: frames.length,
    name: stringColumn((frame) => interner.nameOf(frame)),
    filename: stringColumn((frame) => interner.filenameOf(frame)),
    binary: stringColumn((frame) => interner.binaryOf(frame)),
    buildId: stringColumn((frame) => interner.buildOf(frame, builds?.get(interner.binaryOf(frame)))),
    startLine: Uint32Array.from(frames, (frame) =>
      interner.startLineOf(frame, builds?.get(interner.binaryOf(frame))),
    ),
    kind: Uint8Array.from(frames, (frame) => interner.kind[frame]!),
    named: Uint8Array.from(frames, (frame) => interner.namedOf(frame)),
    strings,
  };
}
