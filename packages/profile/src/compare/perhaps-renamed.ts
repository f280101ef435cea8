import type { TreeNode } from '../projection/flame-tree.ts';
import type { ComparedTree, SideSums } from './compared-tree.ts';
import { BASE, NEW } from './frame-matcher.ts';

/** A function that is gone and one that is new in its place, which call the same: said, never merged. */
export interface PerhapsRenamed {
  readonly gone: TreeNode;
  readonly new: TreeNode;
  /** Weighted Jaccard index of what they call, 0.8 to 1. */
  readonly overlap: number;
}

const LEAST_OVERLAP = 0.8;
/** Gone nodes under one parent that are compared with its new ones: the widest, since each is compared with each. */
const MOST_SIBLINGS = 8;
/** Parents that are looked at: those with the widest gone nodes. */
const MOST_PARENTS = 256;

/** The outermost pairs, widest first. */
export function perhapsRenamed({ tree, nodes }: ComparedTree): PerhapsRenamed[] {
  const [base, next] = [nodes[BASE], nodes[NEW]];
  const isGone = (i: TreeNode): boolean => base.total[i]! > 0 && next.total[i]! <= 0;
  const isNew = (i: TreeNode): boolean => next.total[i]! > 0 && base.total[i]! <= 0;
  const gone = new Map<TreeNode, TreeNode[]>();
  const fresh = new Map<TreeNode, TreeNode[]>();
  for (let i = 1; i < tree.length; i++) {
    const parent = tree.parent[i]!;
    const of = isGone(i) && !isGone(parent) ? gone : isNew(i) && !isNew(parent) ? fresh : undefined;
    if (of === undefined) continue;
    const siblings = of.get(parent);
    if (siblings === undefined) of.set(parent, [i]);
    else siblings.push(i);
  }
  const wanted = new Set<TreeNode>();
  const pairs: (readonly [TreeNode, TreeNode])[] = [];
  const parents = [...gone]
    .filter(([parent]) => fresh.has(parent))
    .map(([parent, was]) => ({ parent, was, value: was.reduce((sum, i) => sum + base.total[i]!, 0) }))
    .sort((a, b) => b.value - a.value)
    .slice(0, MOST_PARENTS);
  for (const { parent, was } of parents) {
    const is = fresh.get(parent) ?? [];
    for (const g of widest(was, base)) for (const n of widest(is, next)) pairs.push([g, n]);
  }
  for (const [g, n] of pairs) wanted.add(g).add(n);
  const callees = calleesOf({ tree, nodes }, wanted);
  const found: PerhapsRenamed[] = [];
  for (const [g, n] of pairs) {
    const overlap = overlapOf(callees.get(g), callees.get(n));
    if (overlap >= LEAST_OVERLAP) found.push({ gone: g, new: n, overlap });
  }
  return found.sort((a, b) => base.total[b.gone]! - base.total[a.gone]! || b.overlap - a.overlap);
}

function widest(siblings: TreeNode[], { total }: SideSums): TreeNode[] {
  return siblings.toSorted((a, b) => total[b]! - total[a]!).slice(0, MOST_SIBLINGS);
}

/** Share of each callee in its caller's total, by function; 0 is the caller's own. */
function calleesOf(
  { tree, nodes }: Pick<ComparedTree, 'tree' | 'nodes'>,
  wanted: ReadonlySet<TreeNode>,
): Map<TreeNode, Map<number, number>> {
  const callees = new Map<TreeNode, Map<number, number>>();
  const sideOf = (node: TreeNode): SideSums => (nodes[BASE].total[node]! > 0 ? nodes[BASE] : nodes[NEW]);
  for (const node of wanted) {
    const side = sideOf(node);
    callees.set(node, new Map([[0, side.self[node]! / side.total[node]!]]));
  }
  for (let i = 1; i < tree.length; i++) {
    const parent = tree.parent[i]!;
    if (!wanted.has(parent)) continue;
    const side = sideOf(parent);
    callees.get(parent)?.set(tree.frame[i]!, side.total[i]! / side.total[parent]!);
  }
  return callees;
}

/** Of two functions that call nothing in common: 0. */
function overlapOf(
  a: ReadonlyMap<number, number> = new Map(),
  b: ReadonlyMap<number, number> = new Map(),
): number {
  let least = 0;
  let most = 0;
  let common = 0;
  for (const fn of new Set([...a.keys(), ...b.keys()])) {
    const [x, y] = [a.get(fn) ?? 0, b.get(fn) ?? 0];
    least += Math.min(x, y);
    most += Math.max(x, y);
    if (fn !== 0 && x > 0 && y > 0) common++;
  }
  return common === 0 ? 0 : least / most;
}
