import type { FlameTable, NodeIndex } from '@fleetflame/profile';
import { FRAME_KINDS } from '@fleetflame/profile';

/**
 * Where every node of a flame table lies, independent of zoom, size and direction.
 *
 *   left      0            10      16
 *             ├────────────────────┤   depth 0   rowTop[0]
 *             ├────────────┼───────┤   depth 1   rowTop[1]   a label row is taller
 *
 * x is in units of value from the root's left edge, kept as float64 so that no zoom runs out of
 * precision; y is in CSS pixels from the root's outer edge. Children lie side by side from their
 * parent's left edge; what is left over at the right is the parent's self value, then what was pruned.
 */
export interface FlameLayout {
  readonly table: FlameTable;
  readonly left: Float64Array;
  /** Outer edge of every depth, and one past the deepest: `rowTop[depthCount]` is the height of all. */
  readonly rowTop: Float64Array;
  readonly depthCount: number;
}

export interface RowMetrics {
  readonly rowPx: number;
  /** Rows that hold labels (group-by levels) are taller, so that nobody takes them for code. */
  readonly labelRowPx: number;
}

export const LABEL_KIND = FRAME_KINDS.indexOf('label');
export const ROOT_KIND = FRAME_KINDS.indexOf('root');
export const STOPPED_KIND = FRAME_KINDS.indexOf('stopped');

export function layoutFlame(table: FlameTable, metrics: RowMetrics): FlameLayout {
  const { length, parent, subtreeEnd, total, depth, frame } = table;
  const kinds = table.frames.kind;
  const left = new Float64Array(length);
  let depthCount = 0;
  for (let node = 0; node < length; node++) {
    const end = subtreeEnd[node]!;
    const x = left[node]!;
    if (node + 1 < end) left[node + 1] = x;
    const above = parent[node]!;
    if (above >= 0 && end < subtreeEnd[above]!) left[end] = x + total[node]!;
    if (depth[node]! >= depthCount) depthCount = depth[node]! + 1;
  }
  const isLabelRow = new Uint8Array(depthCount);
  for (let node = 0; node < length; node++) {
    const kind = kinds[frame[node]!];
    if (kind === LABEL_KIND) isLabelRow[depth[node]!] = 1;
  }
  const rowTop = new Float64Array(depthCount + 1);
  for (let d = 0; d < depthCount; d++) {
    rowTop[d + 1] = rowTop[d]! + (isLabelRow[d] === 1 ? metrics.labelRowPx : metrics.rowPx);
  }
  return { table, left, rowTop, depthCount };
}

/** The value below `node` that was pruned: what neither self nor the remaining children account for. */
export function prunedValue(table: FlameTable, node: NodeIndex): number {
  if (table.prunedNodes[node] === 0) return 0;
  return Math.max(0, table.total[node]! - table.self[node]! - childrenTotal(table, node));
}

export function childrenTotal(table: FlameTable, node: NodeIndex): number {
  const end = table.subtreeEnd[node]!;
  let sum = 0;
  for (let child = node + 1; child < end; child = table.subtreeEnd[child]!) sum += table.total[child]!;
  return sum;
}
