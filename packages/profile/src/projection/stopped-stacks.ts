import { stoppedReasonOf } from '../block/stopped-stacks.ts';
import { FRAME_KINDS } from './flame-table.ts';
import type { FlameTree } from './flame-tree.ts';

/** Value of stacks whose callers could not all be found. */
export interface StoppedStacks {
  /** A code of STOPPED_REASONS; the name of the marker where this version does not know it. */
  readonly reason: string;
  /** Of the outermost frame that was found; "" where there is none. */
  readonly binary: string;
  readonly value: number;
}

const STOPPED = FRAME_KINDS.indexOf('stopped');

/** Stacks that begin with a marker, by reason and by the binary of the next frame, largest first. */
export function stoppedStacks(tree: FlameTree): StoppedStacks[] {
  const { frames } = tree;
  // Most trees have none, and need no pass over their nodes then.
  if (!frames.kind.subarray(0, frames.length).includes(STOPPED)) return [];
  const values = new Float64Array(tree.length);
  // The child of the marker that each node is below; of a marker itself, the marker; 0: not below one.
  const owner = new Int32Array(tree.length);
  for (let node = 1; node < tree.length; node++) {
    const parent = tree.parent[node]!;
    const above = owner[parent]!;
    // A marker inside of another is not made; the outer one would count.
    if (above === 0) owner[node] = frames.kind[tree.frame[node]!] === STOPPED ? node : 0;
    else owner[node] = above === parent && isMarker(tree, above) ? node : above;
    const owned = owner[node]!;
    if (owned !== 0) values[owned] = values[owned]! + tree.self[node]!;
  }
  const sums = new Map<string, { reason: string; binary: string; value: number }>();
  for (let node = 1; node < tree.length; node++) {
    if (owner[node] !== node || values[node] === 0) continue;
    const isAlone = isMarker(tree, node);
    const name = frames.nameOf(tree.frame[isAlone ? node : tree.parent[node]!]!);
    const reason = stoppedReasonOf(name) ?? name;
    const binary = isAlone ? '' : frames.binaryOf(tree.frame[node]!);
    const key = `${reason} ${binary}`;
    const known = sums.get(key);
    if (known === undefined) sums.set(key, { reason, binary, value: values[node]! });
    else known.value += values[node]!;
  }
  return [...sums.values()]
    .filter(({ value }) => value !== 0)
    .sort((a, b) => b.value - a.value || (`${a.reason} ${a.binary}` < `${b.reason} ${b.binary}` ? -1 : 1));
}

function isMarker(tree: FlameTree, node: number): boolean {
  return tree.frames.kind[tree.frame[node]!] === STOPPED;
}
