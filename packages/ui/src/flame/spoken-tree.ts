import type { FlameTable, NodeIndex } from '@fleetflame/profile';
import { BOX_NODE, type BoxBatch } from './box-batch.ts';
import { ancestorsOf, parentOf } from './navigate.ts';

/**
 * The canvas as a tree for assistive technology: the widest visible boxes, and around the cursor
 * everything that an arrow key can reach (its path, its siblings, its children). Pre-order, so the
 * order of elements is the order of the tree.
 */

/** More elements than this cost layout and help no one who listens. */
const MAX_VISIBLE = 80;
/** Siblings and children of the cursor, each. */
const MAX_NEAR = 40;

export interface SpokenItem {
  readonly node: NodeIndex;
  readonly level: number;
  readonly position: number;
  readonly setSize: number;
}

export function spokenItems(table: FlameTable, batch: BoxBatch, cursor: NodeIndex): readonly SpokenItem[] {
  const nodes = new Set<NodeIndex>([0]);
  const boxes: number[] = [];
  for (let i = 0; i < batch.length; i++) if (batch.form[i] === BOX_NODE) boxes.push(i);
  boxes.sort((a, b) => batch.width[b]! - batch.width[a]!);
  for (const i of boxes.slice(0, MAX_VISIBLE)) nodes.add(batch.node[i]!);
  if (cursor >= 0 && cursor < table.length) {
    for (const node of ancestorsOf(table, cursor)) nodes.add(node);
    const parent = parentOf(table, cursor);
    if (parent !== undefined) addChildren(table, parent, nodes);
    addChildren(table, cursor, nodes);
  }
  return [...nodes].toSorted((a, b) => a - b).map((node) => itemOf(table, node));
}

function addChildren(table: FlameTable, node: NodeIndex, nodes: Set<NodeIndex>): void {
  const end = table.subtreeEnd[node]!;
  let added = 0;
  for (let child = node + 1; child < end && added < MAX_NEAR; child = table.subtreeEnd[child]!) {
    nodes.add(child);
    added++;
  }
}

function itemOf(table: FlameTable, node: NodeIndex): SpokenItem {
  const parent = parentOf(table, node);
  let position = 1;
  let setSize = 1;
  if (parent !== undefined) {
    setSize = 0;
    const end = table.subtreeEnd[parent]!;
    for (let child = parent + 1; child < end; child = table.subtreeEnd[child]!) {
      setSize++;
      if (child === node) position = setSize;
    }
  }
  return { node, level: table.depth[node]! + 1, position, setSize };
}
