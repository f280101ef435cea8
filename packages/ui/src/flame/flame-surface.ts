import type { NodeIndex } from '@fleetflame/profile';
import { formatAmount } from '../quantity/format.ts';
import { BOX_MERGED, BOX_NODE, BOX_PRUNED, createBoxBatch, type BoxHit } from './box-batch.ts';
import { CanvasRenderer } from './canvas-renderer.ts';
import { colourFrames, type FlameColours, type FlameTheme } from './colour.ts';
import { createCullScratch, cull, type CullScratch } from './cull.ts';
import { describeBox, spokenBox } from './describe.ts';
import type { FlameData } from './flame-data.ts';
import { hitTest } from './hit-test.ts';
import { layoutFlame, type FlameLayout } from './layout.ts';
import { findPath, nextSibling, parentOf, pathOf, previousSibling, widestChild } from './navigate.ts';
import { drawOverview } from './overview.ts';
import { PointerControl } from './pointer-control.ts';
import { readPaint } from './read-paint.ts';
import type { FlamePaint } from './renderer.ts';
import { createScene, fillScene } from './scene.ts';
import type { Matches } from './search.ts';
import { SpokenTree } from './spoken-tree-view.ts';
import { Tooltip } from './tooltip.ts';
import {
  clampView,
  focusView,
  nodeView,
  panBy,
  revealView,
  tweenView,
  wholeView,
  zoomBy,
  type FlameDirection,
  type Viewport,
} from './viewport.ts';

/**
 * The flame graph on screen. Lives outside React: it owns two canvases, one requestAnimationFrame
 * loop that sleeps while nothing is dirty, and the pointer. React creates it, gives it data, and is
 * told of what a link has to remember (focus, selection); never of the pointer.
 */
export interface FlameSurfaceEvents {
  /** The user went to a box; [] is the whole graph. */
  readonly onFocus: (path: readonly string[]) => void;
  /** The user chose a function by a box: row of FrameTable. */
  readonly onSelect: (frame: number) => void;
  readonly onAnnounce: (text: string) => void;
}

export type CursorMove = 'parent' | 'child' | 'next' | 'previous' | 'first' | 'last';

const ROW_METRICS = { rowPx: 20, labelRowPx: 26 } as const;
/** The hidden tree follows the picture when it has been still for so long. */
const SPOKEN_DELAY_MS = 120;

export class FlameSurface {
  readonly #host: HTMLElement;
  readonly #overview: HTMLCanvasElement;
  readonly #events: FlameSurfaceEvents;
  readonly #renderer: CanvasRenderer;
  readonly #tooltip: Tooltip;
  readonly #spoken: SpokenTree;
  readonly #pointer: PointerControl;
  readonly #observer: ResizeObserver;
  readonly #batch = createBoxBatch();
  readonly #scene = createScene(this.#batch);
  #scratch: CullScratch = createCullScratch(0);

  #data: FlameData | undefined;
  #layout: FlameLayout | undefined;
  #colours: FlameColours | undefined;
  #paint: FlamePaint | undefined;
  #theme: FlameTheme | undefined;
  #view: Viewport = {
    start: 0,
    end: 1,
    scrollPx: 0,
    widthPx: 0,
    heightPx: 0,
    pixelRatio: 1,
    direction: 'icicle',
  };
  #tween: { readonly from: Viewport; readonly to: Viewport; readonly startMs: number } | undefined;
  #focus: readonly string[] = [];
  #matches: Matches | undefined;
  #currentMatch = -1;
  #selectedFrames: Uint8Array | undefined;
  #hover: BoxHit | undefined;
  #cursor: NodeIndex = -1;
  #boxesDirty = false;
  #marksDirty = false;
  #frameRequest = 0;
  #spokenTimer = 0;

  constructor(
    host: HTMLElement,
    canvases: {
      readonly boxes: HTMLCanvasElement;
      readonly marks: HTMLCanvasElement;
      readonly overview: HTMLCanvasElement;
    },
    events: FlameSurfaceEvents,
  ) {
    this.#host = host;
    this.#overview = canvases.overview;
    this.#events = events;
    this.#renderer = new CanvasRenderer(canvases.boxes, canvases.marks);
    this.#tooltip = new Tooltip(host.ownerDocument.body);
    this.#spoken = new SpokenTree(host, (node) => this.#activateNode(node));
    this.#pointer = new PointerControl(canvases.marks, {
      onHover: (x, y, clientX, clientY) => this.#hoverAt(x, y, clientX, clientY),
      onLeave: () => this.#leave(),
      onClick: (x, y) => this.#clickAt(x, y),
      onPan: (dx, dy) => this.#setView((layout) => panBy(layout, this.#view, -dx, this.#outward(-dy))),
      onScroll: (dx, dy) => this.#setView((layout) => panBy(layout, this.#view, dx, this.#outward(dy))),
      onZoom: (factor, x) => this.#setView((layout) => zoomBy(layout, this.#view, factor, x)),
    });
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(canvases.boxes);
    void this.#awaitFonts();
  }

  destroy(): void {
    cancelAnimationFrame(this.#frameRequest);
    window.clearTimeout(this.#spokenTimer);
    this.#observer.disconnect();
    this.#pointer.destroy();
    this.#tooltip.remove();
    this.#spoken.remove();
  }

  /** What to show. Only what is another object than before is looked at again. */
  show(content: {
    readonly data: FlameData;
    readonly matches: Matches | undefined;
    readonly selectedFrames: Uint8Array | undefined;
  }): void {
    if (content.data !== this.#data) this.#setData(content.data);
    if (content.matches !== this.#matches) {
      this.#matches = content.matches;
      this.#currentMatch = -1;
      this.#invalidate();
    }
    if (content.selectedFrames !== this.#selectedFrames) {
      this.#selectedFrames = content.selectedFrames;
      this.#invalidateMarks();
    }
  }

  /** Shows other data. Zoom, focus and cursor stay on the same frames as far as they are there. */
  #setData(data: FlameData): void {
    const old = this.#layout;
    const cursorPath =
      this.#data !== undefined && this.#cursor >= 0 ? pathOf(this.#data.table, this.#cursor) : undefined;
    const oldFocus = old === undefined ? 0 : (findPath(old.table, this.#focus) ?? 0);
    const relative = old === undefined ? undefined : this.#relativeTo(old, oldFocus);
    this.#data = data;
    this.#layout = layoutFlame(data.table, ROW_METRICS);
    this.#scratch = createCullScratch(this.#layout.depthCount);
    // More detail of the same tree has the same coordinates: a zoom under way goes on.
    const isSameTree = old !== undefined && old.table.total[0] === data.table.total[0];
    const tween = isSameTree ? this.#tween : undefined;
    this.#tween = undefined;
    this.#hover = undefined;
    this.#currentMatch = -1;
    this.#selectedFrames = undefined;
    this.#matches = undefined;
    this.#tooltip.hide();
    const focusNode = findPath(data.table, this.#focus) ?? 0;
    const base = nodeView(this.#layout, focusNode);
    if (relative === undefined) {
      this.#view = focusView(this.#layout, this.#view, focusNode);
    } else {
      const size = base.end - base.start;
      this.#view = clampView(this.#layout, {
        ...this.#view,
        start: base.start + relative.start * size,
        end: base.start + relative.end * size,
      });
    }
    if (tween !== undefined) {
      this.#tween = { ...tween, to: this.#view };
      this.#view = tween.from;
    }
    this.#cursor = cursorPath === undefined ? -1 : (findPath(data.table, cursorPath) ?? -1);
    this.#recolour();
    this.#invalidate();
  }

  setFocus(path: readonly string[]): void {
    if (path.length === this.#focus.length && path.every((name, i) => name === this.#focus[i])) return;
    this.#focus = path;
    const layout = this.#layout;
    if (layout === undefined) return;
    const node = findPath(layout.table, path);
    if (node === undefined) return;
    this.#animateTo(node === 0 ? this.#whole(layout) : focusView(layout, this.#target, node));
    if (path.length > 0) this.#cursor = node;
    this.#events.onAnnounce(
      path.length === 0 ? 'Showing the whole flame graph.' : `Focused ${this.#speak(node)}.`,
    );
  }

  setDirection(direction: FlameDirection): void {
    if (direction === this.#view.direction) return;
    this.#view = { ...this.#view, direction };
    this.#tween = undefined;
    this.#invalidate();
  }

  /** Reads the CSS variables of the theme that is in force now. */
  setTheme(theme: 'light' | 'dark'): void {
    const { paint, theme: flameTheme } = readPaint(this.#host, theme);
    this.#paint = paint;
    this.#theme = flameTheme;
    this.#recolour();
    this.#invalidate();
  }

  moveCursor(move: CursorMove): void {
    const layout = this.#layout;
    if (layout === undefined) return;
    const { table } = layout;
    const at = this.#cursor >= 0 ? this.#cursor : (findPath(table, this.#focus) ?? 0);
    let next: NodeIndex | undefined;
    if (this.#cursor < 0) next = at;
    else if (move === 'parent') next = parentOf(table, at);
    else if (move === 'child') next = widestChild(table, at);
    else if (move === 'next') next = nextSibling(table, at);
    else if (move === 'previous') next = previousSibling(table, at);
    else if (move === 'first') next = 0;
    else next = widestLeaf(table, at);
    if (next === undefined) return;
    this.#putCursor(next);
  }

  /** Focuses the box under the cursor. */
  activateCursor(): void {
    if (this.#cursor >= 0) this.#activateNode(this.#cursor);
  }

  clearCursor(): boolean {
    const had = this.#cursor >= 0;
    this.#cursor = -1;
    this.#invalidateMarks();
    return had;
  }

  /** Name of the frame under the cursor, else under the pointer. */
  currentName(): string | undefined {
    const node = this.#cursor >= 0 ? this.#cursor : this.#hover?.node;
    return node === undefined || this.#data === undefined ? undefined : pathOf(this.#data.table, node).at(-1);
  }

  /** Goes to the next match, +1, or the one before, -1. Returns its number from 1, and how many there are. */
  cycleMatch(step: 1 | -1): { readonly number: number; readonly count: number } | undefined {
    const layout = this.#layout;
    const nodes = this.#matches?.nodes;
    if (layout === undefined || nodes === undefined || nodes.length === 0) return undefined;
    const at = this.#currentMatch < 0 ? -1 : nodes.indexOf(this.#currentMatch);
    const index = at < 0 ? (step === 1 ? 0 : nodes.length - 1) : (at + step + nodes.length) % nodes.length;
    this.#currentMatch = nodes[index]!;
    this.#cursor = this.#currentMatch;
    this.#animateTo(revealView(layout, this.#target, this.#currentMatch));
    this.#events.onAnnounce(`Match ${index + 1} of ${nodes.length}: ${this.#speak(this.#currentMatch)}.`);
    return { number: index + 1, count: nodes.length };
  }

  zoom(factor: number): void {
    this.#setView((layout) => zoomBy(layout, this.#target, factor, this.#view.widthPx / 2), true);
  }

  /** Shares of the width and of the height. */
  pan(dx: number, dy: number): void {
    const { widthPx, heightPx } = this.#view;
    this.#setView((layout) => panBy(layout, this.#target, dx * widthPx, this.#outward(dy * heightPx)), true);
  }

  /** Back to the focused box at full width. Returns false when the view was there already. */
  resetZoom(): boolean {
    const layout = this.#layout;
    if (layout === undefined) return false;
    const node = findPath(layout.table, this.#focus) ?? 0;
    const target = node === 0 ? this.#whole(layout) : focusView(layout, this.#target, node);
    const { start, end } = this.#target;
    const unit = (target.end - target.start) * 1e-6;
    if (Math.abs(start - target.start) < unit && Math.abs(end - target.end) < unit) return false;
    this.#animateTo(target);
    return true;
  }

  toggleTooltipPin(): void {
    const isPinned = this.#tooltip.togglePin();
    this.#events.onAnnounce(isPinned ? 'Tooltip pinned.' : 'Tooltip released.');
  }

  releaseTooltip(): boolean {
    if (!this.#tooltip.isPinned) return false;
    this.#tooltip.togglePin();
    return true;
  }

  /** Draws now and waits for nothing; for measuring. Returns the number of boxes. */
  drawNow(): number {
    this.#draw();
    return this.#batch.length;
  }

  get #target(): Viewport {
    return this.#tween?.to ?? this.#view;
  }

  #whole(layout: FlameLayout): Viewport {
    return clampView(layout, { ...this.#target, ...wholeView(layout), scrollPx: 0 });
  }

  #relativeTo(layout: FlameLayout, node: NodeIndex): { readonly start: number; readonly end: number } {
    const base = nodeView(layout, node);
    const size = base.end - base.start;
    const { start, end } = this.#target;
    return { start: (start - base.start) / size, end: (end - base.start) / size };
  }

  #outward(dy: number): number {
    return this.#view.direction === 'icicle' ? dy : -dy;
  }

  #setView(next: (layout: FlameLayout) => Viewport, animated = false): void {
    const layout = this.#layout;
    if (layout === undefined) return;
    if (animated) {
      this.#animateTo(next(layout));
      return;
    }
    this.#view = this.#tween?.to ?? this.#view;
    this.#tween = undefined;
    this.#view = next(layout);
    this.#invalidate();
  }

  #animateTo(to: Viewport): void {
    if (motionMs(this.#host) === 0) {
      this.#view = to;
      this.#tween = undefined;
    } else {
      this.#tween = { from: this.#view, to, startMs: performance.now() };
    }
    this.#invalidate();
  }

  #putCursor(node: NodeIndex): void {
    const layout = this.#layout;
    if (layout === undefined) return;
    this.#cursor = node;
    this.#animateTo(revealView(layout, this.#target, node));
    this.#updateSpoken();
  }

  #activateNode(node: NodeIndex): void {
    const data = this.#data;
    if (data === undefined) return;
    this.#cursor = node;
    this.#events.onFocus(pathOf(data.table, node));
    if (node > 0) this.#events.onSelect(data.table.frame[node]!);
    this.#invalidateMarks();
  }

  #clickAt(x: number, y: number): void {
    const layout = this.#layout;
    const ratio = this.#view.pixelRatio;
    const hit = hitTest(this.#batch, x * ratio, y * ratio);
    if (hit === undefined || layout === undefined) return;
    this.#host.focus({ preventScroll: true });
    if (hit.form === BOX_MERGED && hit.count > 1) {
      const start = layout.left[hit.node]!;
      this.#animateTo(clampView(layout, { ...this.#target, start, end: start + hit.value }));
      return;
    }
    this.#activateNode(hit.node);
  }

  #hoverAt(x: number, y: number, clientX: number, clientY: number): void {
    const ratio = this.#view.pixelRatio;
    const hit = hitTest(this.#batch, x * ratio, y * ratio);
    if (hit === undefined || this.#data === undefined) {
      this.#leave();
      return;
    }
    if (hit.node !== this.#hover?.node || hit.form !== this.#hover.form) this.#invalidateMarks();
    this.#hover = hit;
    this.#tooltip.show(describeBox(this.#data, hit), clientX, clientY);
  }

  #leave(): void {
    if (this.#hover !== undefined) this.#invalidateMarks();
    this.#hover = undefined;
    this.#tooltip.hide();
  }

  #speak(node: NodeIndex): string {
    return this.#data === undefined ? '' : spokenBox(this.#data, node);
  }

  #resize(): void {
    const canvas = this.#pointer.element;
    const layout = this.#layout;
    const pixelRatio = window.devicePixelRatio;
    const view: Viewport = {
      ...this.#target,
      widthPx: canvas.clientWidth,
      heightPx: canvas.clientHeight,
      pixelRatio,
    };
    this.#tween = undefined;
    this.#view = layout === undefined ? view : clampView(layout, view);
    this.#renderer.resize(
      Math.round(view.widthPx * pixelRatio),
      Math.round(view.heightPx * pixelRatio),
      pixelRatio,
    );
    // A canvas is empty after its size changed; drawing in the same frame avoids a flash.
    this.#boxesDirty = true;
    this.#draw();
  }

  async #awaitFonts(): Promise<void> {
    await this.#host.ownerDocument.fonts.ready;
    this.#renderer.forgetFonts();
    this.#invalidate();
  }

  #recolour(): void {
    if (this.#data === undefined || this.#theme === undefined) return;
    this.#colours = colourFrames(this.#data.table.frames, this.#theme);
  }

  #invalidate(): void {
    this.#boxesDirty = true;
    this.#invalidateMarks();
  }

  #invalidateMarks(): void {
    this.#marksDirty = true;
    if (this.#frameRequest === 0) this.#frameRequest = requestAnimationFrame(() => this.#tick());
  }

  #tick(): void {
    this.#frameRequest = 0;
    if (this.#tween !== undefined) {
      const { from, to, startMs } = this.#tween;
      const progress = (performance.now() - startMs) / motionMs(this.#host);
      this.#view = progress >= 1 ? to : tweenView(from, to, progress);
      if (progress >= 1) this.#tween = undefined;
      this.#boxesDirty = true;
    }
    if (this.#boxesDirty) this.#draw();
    else if (this.#marksDirty) this.#drawMarks();
    if (this.#tween !== undefined) this.#invalidate();
  }

  #draw(): void {
    const { layout, data, colours, paint } = {
      layout: this.#layout,
      data: this.#data,
      colours: this.#colours,
      paint: this.#paint,
    };
    if (layout === undefined || data === undefined || colours === undefined || paint === undefined) return;
    if (this.#view.widthPx === 0 || this.#view.heightPx === 0) return;
    this.#boxesDirty = false;
    cull(layout, this.#view, this.#batch, this.#scratch);
    fillScene(this.#scene, {
      table: data.table,
      colours,
      matches: this.#matches,
      pixelRatio: this.#view.pixelRatio,
      advancePx: this.#renderer.advance(paint, false),
      boldAdvancePx: this.#renderer.advance(paint, true),
      amount: (value) => formatAmount(value, data.quantity),
    });
    this.#renderer.drawBoxes(this.#scene, colours, paint);
    this.#drawMarks();
    drawOverview(this.#overview, layout, this.#view, this.#matches, paint);
    window.clearTimeout(this.#spokenTimer);
    this.#spokenTimer = window.setTimeout(() => this.#updateSpoken(), SPOKEN_DELAY_MS);
  }

  #drawMarks(): void {
    this.#marksDirty = false;
    const paint = this.#paint;
    const table = this.#data?.table;
    if (paint === undefined || table === undefined) return;
    const hover = this.#hover?.form === BOX_NODE || this.#hover?.form === BOX_PRUNED ? this.#hover.node : -1;
    this.#renderer.drawMarks(
      this.#scene,
      {
        hoverFrame: this.#hover?.form === BOX_NODE ? table.frame[hover]! : -1,
        hoverNode: hover,
        selectedFrames: this.#selectedFrames,
        cursorNode: this.#cursor,
        matchFrames: this.#matches?.frames,
        currentMatch: this.#currentMatch,
        frameOf: table.frame,
      },
      paint,
    );
  }

  #updateSpoken(): void {
    if (this.#data !== undefined) this.#spoken.update(this.#data, this.#batch, this.#cursor);
  }
}

function widestLeaf(table: FlameData['table'], from: NodeIndex): NodeIndex {
  let node = from;
  for (;;) {
    const child = widestChild(table, node);
    if (child === undefined) return node;
    node = child;
  }
}

function motionMs(element: HTMLElement): number {
  return Number.parseFloat(getComputedStyle(element).getPropertyValue('--motion-zoom')) || 0;
}
