import { FRAME_KINDS, type FrameKind } from './flame-table.ts';
import { type FlameTree } from './flame-tree.ts';
import { selectLargest } from './select-largest.ts';

/** One function of the top table: where it is called and where it is inlined. */
export interface TopFunction {
  readonly name: string;
  readonly filename: string;
  readonly binary: string;
  /** As in `FrameTable`. */
  readonly buildId: string;
  readonly startLine: number;
  /** inlined: it was never seen called. */
  readonly kind: FrameKind;
  /** It was seen both called and inlined. */
  readonly partlyInlined: boolean;
  /** Value of samples whose leaf it is. */
  readonly self: number;
  /** Value of samples that it is part of; recursion counts once. */
  readonly total: number;
}

export interface TopTable {
  readonly total: number;
  /** Largest self first, then total, then name. */
  readonly functions: readonly TopFunction[];
  readonly omittedFunctions: number;
  readonly omittedSelf: number;
  /** Value of samples without any frame: functions' self, omitted_self and this make the total. */
  readonly emptySelf: number;
}

const LABEL = FRAME_KINDS.indexOf('label');
const STOPPED = FRAME_KINDS.indexOf('stopped');

/**
 * Functions of the whole tree; labels of a group-by and markers of stopped stacks are no functions.
 * `builds`: as in `layoutFlameTree`.
 */
export function topFunctions(
  tree: FlameTree,
  limit: number,
  builds?: ReadonlyMap<string, ReadonlySet<string>>,
): TopTable {
  const frameCount = tree.frames.length;
  const nodeTotal = new Float64Array(tree.self.subarray(0, tree.length));
  for (let i = tree.length - 1; i > 0; i--) {
    nodeTotal[tree.parent[i]!] = nodeTotal[tree.parent[i]!]! + nodeTotal[i]!;
  }
  const functionOf = functionsOfFrames(tree);
  /** 1: another frame than its own counts as the function: an inlined one. */
  const partlyInlined = new Uint8Array(frameCount);
  for (let f = 0; f < frameCount; f++) if (functionOf[f] !== f) partlyInlined[functionOf[f]!] = 1;
  const self = new Float64Array(frameCount);
  for (let i = 1; i < tree.length; i++) {
    const fn = functionOf[tree.frame[i]!]!;
    self[fn] = self[fn]! + tree.self[i]!;
  }
  const total = totalsWithoutRecursion(tree, nodeTotal, functionOf);

  const frames: number[] = [];
  let emptySelf = tree.self[0]!;
  for (let f = 1; f < frameCount; f++) {
    const kind = tree.frames.kind[f]!;
    if (kind === LABEL || kind === STOPPED) emptySelf += self[f]!;
    else if (self[f] !== 0 || total[f] !== 0) frames.push(f);
  }
  const listed = largest(tree, frames, self, total, limit);
  let omittedSelf = 0;
  for (const frame of frames) omittedSelf += self[frame]!;
  for (const frame of listed) omittedSelf -= self[frame]!;
  return {
    total: nodeTotal[0]!,
    functions: listed.map((frame) => {
      const binary = tree.frames.binaryOf(frame);
      return {
        name: tree.frames.nameOf(frame),
        filename: tree.frames.filenameOf(frame),
        binary,
        buildId: tree.frames.buildOf(frame, builds?.get(binary)),
        startLine: tree.frames.startLineOf(frame, builds?.get(binary)),
        kind: FRAME_KINDS[tree.frames.kind[frame]!] ?? 'unknown',
        partlyInlined: partlyInlined[frame] === 1,
        self: self[frame]!,
        total: total[frame]!,
      };
    }),
    omittedFunctions: Math.max(0, frames.length - limit),
    omittedSelf,
    emptySelf,
  };
}

/** The frame that stands for each frame's function: an inlined one counts with those that are called. */
function functionsOfFrames(tree: FlameTree): Uint32Array {
  const { frames } = tree;
  const inUse = new Uint8Array(frames.length);
  for (let i = 1; i < tree.length; i++) inUse[tree.frame[i]!] = 1;
  const functionOf = new Uint32Array(frames.length);
  for (let f = 0; f < frames.length; f++) functionOf[f] = inUse[f] === 1 ? frames.calledFrame(f, inUse) : f;
  return functionOf;
}

/**
 * The `limit` frames of the largest self, then total, then by name. There are many frames and most
 * have a tie, so names, which take text, decide only where the limit falls among equals.
 */
function largest(
  tree: FlameTree,
  frames: readonly number[],
  self: Float64Array,
  total: Float64Array,
  limit: number,
): number[] {
  const [above, ties, room] = splitAt(frames, self, limit);
  const [aboveTies, equals] = splitAt(ties, total, room);
  const byName = tree.frames.sorted([...above, ...aboveTies, ...equals]);
  // A stable sort: what is equal stays in the order of names.
  return byName.sort((a, b) => self[b]! - self[a]! || total[b]! - total[a]!).slice(0, limit);
}

/** Frames with more than the `limit`-th largest value, those with just this value, and the room left for them. */
function splitAt(
  frames: readonly number[],
  values: Float64Array,
  limit: number,
): readonly [number[], number[], number] {
  if (frames.length <= limit || limit === 0) return [[], limit === 0 ? [] : [...frames], limit];
  const threshold = selectLargest(
    Float64Array.from(frames, (frame) => values[frame]!),
    limit,
  );
  const above = frames.filter((frame) => values[frame]! > threshold);
  return [above, frames.filter((frame) => values[frame] === threshold), limit - above.length];
}

/** Per function, the sum over its nodes that have no ancestor of the same function: one walk of the tree. */
export function totalsWithoutRecursion(
  tree: FlameTree,
  nodeTotal: Float64Array,
  functionOf: Uint32Array,
): Float64Array {
  const firstChild = new Int32Array(tree.length);
  const nextSibling = new Int32Array(tree.length);
  for (let i = tree.length - 1; i > 0; i--) {
    const parent = tree.parent[i]!;
    nextSibling[i] = firstChild[parent]!;
    firstChild[parent] = i;
  }
  const total = new Float64Array(tree.frames.length);
  const onPath = new Uint32Array(tree.frames.length);
  let node = firstChild[0]!;
  while (node > 0) {
    const frame = functionOf[tree.frame[node]!]!;
    if (onPath[frame] === 0) total[frame] = total[frame]! + nodeTotal[node]!;
    const child = firstChild[node]!;
    if (child !== 0) {
      onPath[frame]!++;
      node = child;
      continue;
    }
    while (node > 0 && nextSibling[node] === 0) {
      node = tree.parent[node]!;
      if (node > 0) onPath[functionOf[tree.frame[node]!]!]!--;
    }
    if (node > 0) node = nextSibling[node]!;
  }
  return total;
}
