import { BOX_MERGED, BOX_NODE, BOX_PRUNED, type BoxBatch } from './box-batch.ts';
import { childrenTotal, type FlameLayout } from './layout.ts';
import { rowY, type Viewport } from './viewport.ts';

/**
 * Turns the visible part of a layout into boxes. One loop over the pre-order arrays: a node that is
 * outside the view, below its bottom row, or too narrow ends its whole subtree with one jump to
 * `subtreeEnd`, so the work follows what is visible and not the size of the table.
 *
 * Nodes narrower than `narrowest` join the open run of their depth; a run ends where the next narrow
 * node of that depth does not touch it, and becomes one hatched box. If there are still more boxes
 * than the batch holds, it starts over with a doubled `narrowest`.
 *
 *   depth 3   ┌──────┐╱╱╱╱╱┌───┐        ╱ = 212 nodes, each under 2 px
 *             │ read │╱╱╱╱╱│ … │
 */

/** Device pixels. Narrower boxes are noise to the eye and a cost to the canvas. */
export const NARROWEST_BOX = 2;
/** A run narrower than this paints nothing that could be seen. */
const NARROWEST_RUN = 0.5;

/** Per depth: the run of narrow nodes that may still grow. Reused between frames. */
export interface CullScratch {
  start: Float64Array;
  end: Float64Array;
  node: Int32Array;
  count: Uint32Array;
  value: Float64Array;
}

export function createCullScratch(depthCount: number): CullScratch {
  return {
    start: new Float64Array(depthCount),
    end: new Float64Array(depthCount),
    node: new Int32Array(depthCount),
    count: new Uint32Array(depthCount),
    value: new Float64Array(depthCount),
  };
}

export interface CullResult {
  /** Device pixels below which boxes were merged: NARROWEST_BOX, or more when there were too many. */
  readonly narrowest: number;
  /** Nodes that the loop looked at. */
  readonly visited: number;
}

export function cull(layout: FlameLayout, view: Viewport, batch: BoxBatch, scratch: CullScratch): CullResult {
  let narrowest = NARROWEST_BOX;
  let visited = 0;
  for (;;) {
    const seen = fill(layout, view, batch, scratch, narrowest);
    visited += Math.abs(seen);
    if (seen >= 0) return { narrowest, visited };
    narrowest *= 2;
  }
}

/** Nodes looked at; negative when the batch was too small. */
function fill(
  layout: FlameLayout,
  view: Viewport,
  batch: BoxBatch,
  scratch: CullScratch,
  narrowest: number,
): number {
  const { table, left, rowTop, depthCount } = layout;
  const { length, subtreeEnd, depth, total, prunedNodes } = table;
  const ratio = view.pixelRatio;
  const span = view.end - view.start;
  const scale = (view.widthPx * ratio) / span;
  const capacity = batch.x.length;
  const firstDepth = firstVisibleDepth(layout, view.scrollPx);
  const bottom = view.scrollPx + view.heightPx;
  const y = new Float32Array(depthCount);
  const h = new Float32Array(depthCount);
  for (let d = 0; d < depthCount; d++) {
    y[d] = Math.round(rowY(layout, view, d) * ratio);
    h[d] = Math.round((rowTop[d + 1]! - rowTop[d]!) * ratio);
  }
  scratch.count.fill(0);
  batch.length = 0;
  let visited = 0;

  const push = (
    x0: number,
    x1: number,
    d: number,
    node: number,
    count: number,
    value: number,
    form: number,
  ): boolean => {
    const at = batch.length;
    if (at === capacity) return false;
    batch.x[at] = x0;
    batch.width[at] = x1 - x0;
    batch.y[at] = y[d]!;
    batch.height[at] = h[d]!;
    batch.node[at] = node;
    batch.count[at] = count;
    batch.value[at] = value;
    batch.form[at] = form;
    batch.length = at + 1;
    return true;
  };
  const flush = (d: number): boolean => {
    const count = scratch.count[d]!;
    if (count === 0) return true;
    scratch.count[d] = 0;
    const x0 = (scratch.start[d]! - view.start) * scale;
    const x1 = (scratch.end[d]! - view.start) * scale;
    if (d < firstDepth || x1 - x0 < NARROWEST_RUN) return true;
    return push(x0, Math.max(x1, x0 + 1), d, scratch.node[d]!, count, scratch.value[d]!, BOX_MERGED);
  };

  const edge = view.widthPx * ratio;
  let node = 0;
  while (node < length) {
    visited++;
    const d = depth[node]!;
    const from = left[node]!;
    const width = total[node]!;
    const end = subtreeEnd[node]!;
    if (from >= view.end || from + width <= view.start || rowTop[d]! >= bottom) {
      node = end;
      continue;
    }
    if (width * scale < narrowest) {
      if (scratch.count[d] !== 0 && (from - scratch.end[d]!) * scale < 0.5) {
        scratch.end[d] = from + width;
        scratch.count[d] = scratch.count[d]! + 1;
        scratch.value[d] = scratch.value[d]! + width;
      } else {
        if (!flush(d)) return -visited;
        scratch.start[d] = from;
        scratch.end[d] = from + width;
        scratch.node[d] = node;
        scratch.count[d] = 1;
        scratch.value[d] = width;
      }
      node = end;
      continue;
    }
    if (d >= firstDepth) {
      const x0 = Math.max(0, (from - view.start) * scale);
      const x1 = Math.min(edge, (from + width - view.start) * scale);
      if (!push(x0, x1, d, node, 1, width, BOX_NODE)) return -visited;
    }
    if (prunedNodes[node] !== 0) {
      const children = childrenTotal(table, node);
      const value = width - table.self[node]! - children;
      const x0 = Math.max(0, (from + children - view.start) * scale);
      const x1 = Math.min(edge, (from + children + value - view.start) * scale);
      // Below the deepest row there is no row to draw in; the parent's tooltip still says it.
      if (x1 - x0 >= 1 && d + 1 < depthCount && d + 1 >= firstDepth) {
        if (!push(x0, x1, d + 1, node, prunedNodes[node]!, value, BOX_PRUNED)) return -visited;
      }
    }
    node++;
  }
  for (let d = 0; d < depthCount; d++) if (!flush(d)) return -visited;
  return visited;
}

function firstVisibleDepth(layout: FlameLayout, scrollPx: number): number {
  let depth = 0;
  while (depth < layout.depthCount && layout.rowTop[depth + 1]! <= scrollPx) depth++;
  return depth;
}
