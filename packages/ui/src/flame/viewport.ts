import type { NodeIndex } from '@fleetflame/profile';
import type { FlameLayout } from './layout.ts';

/**
 * The part of a layout that is on screen. `start` and `end` are in units of value; `scrollPx` counts
 * from the root's outer edge in both directions, so that flipping changes nothing but `boxTop`.
 */
export interface Viewport {
  readonly start: number;
  readonly end: number;
  readonly scrollPx: number;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly pixelRatio: number;
  /** Icicle: the root is at the top. Flame: at the bottom. */
  readonly direction: FlameDirection;
}

export type FlameDirection = 'icicle' | 'flame';

/** Zooming stops where the view would hold less than this share of the root: float64 still has digits to spare. */
const SMALLEST_VIEW_SHARE = 1e-9;

/** Rows kept visible above a focused box, so that one sees where it hangs. */
const ROWS_ABOVE_FOCUS = 2;

export function wholeView(layout: FlameLayout): { readonly start: number; readonly end: number } {
  return { start: 0, end: Math.max(layout.table.total[0] ?? 0, Number.MIN_VALUE) };
}

export function nodeView(
  layout: FlameLayout,
  node: NodeIndex,
): { readonly start: number; readonly end: number } {
  const start = layout.left[node] ?? 0;
  return { start, end: start + Math.max(layout.table.total[node] ?? 0, Number.MIN_VALUE) };
}

/** Top edge of a row on screen, CSS pixels. */
export function rowY(layout: FlameLayout, view: Viewport, depth: number): number {
  const outer = layout.rowTop[depth]! - view.scrollPx;
  if (view.direction === 'icicle') return outer;
  return view.heightPx - outer - (layout.rowTop[depth + 1]! - layout.rowTop[depth]!);
}

export function maxScroll(layout: FlameLayout, view: Pick<Viewport, 'heightPx'>): number {
  return Math.max(0, layout.rowTop[layout.depthCount]! - view.heightPx);
}

export function clampView(layout: FlameLayout, view: Viewport): Viewport {
  const whole = wholeView(layout);
  const size = Math.min(whole.end, Math.max(view.end - view.start, whole.end * SMALLEST_VIEW_SHARE));
  const start = Math.min(Math.max(view.start, 0), whole.end - size);
  const scrollPx = Math.min(Math.max(view.scrollPx, 0), maxScroll(layout, view));
  return { ...view, start, end: start + size, scrollPx };
}

/** `factor` above 1 zooms in; the value under `anchorPx` stays where it is. */
export function zoomBy(layout: FlameLayout, view: Viewport, factor: number, anchorPx: number): Viewport {
  const share = view.widthPx > 0 ? anchorPx / view.widthPx : 0.5;
  const anchor = view.start + (view.end - view.start) * share;
  const size = (view.end - view.start) / factor;
  const start = anchor - size * share;
  return clampView(layout, { ...view, start, end: start + size });
}

export function panBy(layout: FlameLayout, view: Viewport, deltaPx: number, deltaScrollPx: number): Viewport {
  const shift = view.widthPx > 0 ? (deltaPx / view.widthPx) * (view.end - view.start) : 0;
  return clampView(layout, {
    ...view,
    start: view.start + shift,
    end: view.end + shift,
    scrollPx: view.scrollPx + deltaScrollPx,
  });
}

/** The view in which `node` fills the width and its row is near the root's edge. */
export function focusView(layout: FlameLayout, view: Viewport, node: NodeIndex): Viewport {
  const depth = layout.table.depth[node] ?? 0;
  const above = Math.max(0, depth - ROWS_ABOVE_FOCUS);
  const bottom = layout.rowTop[depth + 1] ?? 0;
  const fits = bottom <= view.heightPx * 0.4;
  return clampView(layout, {
    ...view,
    ...nodeView(layout, node),
    scrollPx: fits ? 0 : layout.rowTop[above]!,
  });
}

/** The smallest change of the view that shows `node` wide enough to read. */
export function revealView(layout: FlameLayout, view: Viewport, node: NodeIndex): Viewport {
  const { start, end } = nodeView(layout, node);
  let next: Viewport = view;
  const inside = start >= view.start && end <= view.end;
  const widthPx = ((end - start) / (view.end - view.start)) * view.widthPx;
  if (!inside || widthPx < 4) {
    const size = Math.max((end - start) * 3, Number.MIN_VALUE);
    const middle = (start + end) / 2;
    next = { ...next, start: middle - size / 2, end: middle + size / 2 };
  }
  const depth = layout.table.depth[node] ?? 0;
  const top = layout.rowTop[depth]!;
  const bottom = layout.rowTop[depth + 1]!;
  if (top < next.scrollPx) next = { ...next, scrollPx: top };
  else if (bottom > next.scrollPx + next.heightPx) next = { ...next, scrollPx: bottom - next.heightPx };
  return clampView(layout, next);
}

/** The view between two others; `progress` from 0 to 1 is eased out. */
export function tweenView(from: Viewport, to: Viewport, progress: number): Viewport {
  const eased = 1 - (1 - Math.min(1, Math.max(0, progress))) ** 3;
  const mix = (a: number, b: number): number => a + (b - a) * eased;
  return {
    ...to,
    start: mix(from.start, to.start),
    end: mix(from.end, to.end),
    scrollPx: mix(from.scrollPx, to.scrollPx),
  };
}
