import { selectLargest } from '../projection/select-largest.ts';
import type { TreeNode } from '../projection/flame-tree.ts';
import type { Comparison } from './compare-profiles.ts';
import { BASE, NEW } from './frame-matcher.ts';

export interface PrunedComparison {
  /** Nodes that are kept, parents first; the root is always among them. */
  readonly kept: readonly TreeNode[];
  readonly prunedNodes: number;
  /** Self value of the pruned nodes, exact. */
  readonly prunedSelf: number;
  readonly prunedBaseSelf: number;
}

/**
 * The `maxNodes` widest nodes of a comparison. A node is as wide as it is on the side where it is wider, in the
 * comparison's normalisation: what is gone stays as visible as what is new. Ties are kept in the order of the tree.
 */
export function pruneComparison({ compared, denominators }: Comparison, maxNodes: number): PrunedComparison {
  const { tree, nodes } = compared;
  const width = new Float64Array(tree.length);
  for (let i = 0; i < tree.length; i++) {
    width[i] = Math.max(
      Math.abs(nodes[BASE].total[i]!) / (denominators[BASE] || 1),
      Math.abs(nodes[NEW].total[i]!) / (denominators[NEW] || 1),
    );
  }
  const isKept = new Uint8Array(tree.length).fill(1);
  if (tree.length > maxNodes) {
    const threshold = selectLargest(width.slice(), maxNodes);
    let room = maxNodes - width.reduce((count, w) => count + (w > threshold ? 1 : 0), 0);
    for (let i = 0; i < tree.length; i++) {
      isKept[i] = width[i]! > threshold || (width[i] === threshold && room-- > 0) ? 1 : 0;
    }
  }
  isKept[0] = 1;
  const kept: TreeNode[] = [];
  let prunedSelf = 0;
  let prunedBaseSelf = 0;
  for (let i = 0; i < tree.length; i++) {
    // A parent is at least as wide as its child; of negative values it need not be.
    if (i > 0 && isKept[tree.parent[i]!] === 0) isKept[i] = 0;
    if (isKept[i] === 1) kept.push(i);
    else {
      prunedSelf += nodes[NEW].self[i]!;
      prunedBaseSelf += nodes[BASE].self[i]!;
    }
  }
  return { kept, prunedNodes: tree.length - kept.length, prunedSelf, prunedBaseSelf };
}
