import { BOX_NODE } from './box-batch.ts';
import type { FlameColours } from './colour.ts';
import type { FlamePaint, Marks, Renderer } from './renderer.ts';
import { FLAG_FADED, FLAG_LABEL_ROW, FLAG_STOPPED, kindName, type Scene } from './scene.ts';

/**
 * Draws on two Canvas2D layers. Boxes are sorted by colour first (a counting sort over the styles):
 * changing fillStyle parses a colour, and 10,000 boxes have some dozens of colours.
 */

/** Boxes below this width have no gap to the right: it would take most of them away. */
const NARROWEST_WITH_GAP = 3;
/** Stripe at the left edge of a box, CSS pixels. */
const EDGE_PX = 3;
const NARROWEST_WITH_EDGE_PX = 12;
/** Narrower matches are filled, not outlined: an outline would be all there is. */
const NARROWEST_OUTLINED = 6;

/**
 * The edge's pattern says the kind without colour: [start, end] shares of the height.
 *
 *   kernel ┃   native ╷    inlined ·    jit ╏    interpreted ┇
 */
const EDGES: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  kernel: [[0, 1]],
  native: [[0.25, 0.75]],
  inlined: [[0.4, 0.6]],
  jit: [
    [0, 0.38],
    [0.62, 1],
  ],
  interpreted: [
    [0, 0.22],
    [0.39, 0.61],
    [0.78, 1],
  ],
};

/** Boxes without a style of their own: stopped stacks, labels, what is hatched. */
const SPECIAL_GROUPS = 3;

export class CanvasRenderer implements Renderer {
  readonly #boxes: CanvasRenderingContext2D;
  readonly #marks: CanvasRenderingContext2D;
  #width = 0;
  #height = 0;
  #ratio = 1;
  #order = new Uint32Array(0);
  #hatch: { readonly key: string; readonly pattern: CanvasPattern | null } | undefined;

  constructor(boxes: HTMLCanvasElement, marks: HTMLCanvasElement) {
    const boxContext = boxes.getContext('2d', { alpha: false });
    const markContext = marks.getContext('2d');
    if (boxContext === null || markContext === null) {
      throw new Error('This browser gives no 2D canvas; the function table shows the same data.');
    }
    this.#boxes = boxContext;
    this.#marks = markContext;
  }

  resize(width: number, height: number, pixelRatio: number): void {
    this.#width = width;
    this.#height = height;
    this.#ratio = pixelRatio;
    for (const context of [this.#boxes, this.#marks]) {
      if (context.canvas.width !== width) context.canvas.width = width;
      if (context.canvas.height !== height) context.canvas.height = height;
    }
  }

  drawBoxes(scene: Scene, colours: FlameColours, paint: FlamePaint): void {
    const context = this.#boxes;
    context.fillStyle = paint.background;
    context.fillRect(0, 0, this.#width, this.#height);
    const first = this.#sortByStyle(scene, colours.fill.length);
    this.#fillStyles(scene, colours, paint, first);
    this.#fillEdges(scene, colours, first);
    this.#drawLabels(scene, paint);
  }

  drawMarks(scene: Scene, marks: Marks, paint: FlamePaint): void {
    const context = this.#marks;
    context.clearRect(0, 0, this.#width, this.#height);
    const { batch } = scene;
    const { selectedFrames, matchFrames, hoverFrame, frameOf } = marks;
    for (let i = 0; i < batch.length; i++) {
      if (batch.form[i] !== BOX_NODE) continue;
      const node = batch.node[i]!;
      const frame = frameOf[node]!;
      if (matchFrames?.[frame] === 1)
        this.#outline(scene, i, paint.match, node === marks.currentMatch ? 3 : 1.5);
      if (selectedFrames?.[frame] === 1) this.#outline(scene, i, paint.accent, 2);
      if (frame === hoverFrame) {
        context.fillStyle = paint.hover;
        this.#rect(scene, i);
        if (node === marks.hoverNode) this.#outline(scene, i, paint.outline, 1);
      }
      if (node === marks.cursorNode) this.#outline(scene, i, paint.outline, 2);
    }
  }

  /** Fills `#order` with box numbers grouped by style; returns where each group starts. */
  #sortByStyle(scene: Scene, styles: number): Uint32Array {
    const { batch, style, flags } = scene;
    if (this.#order.length < batch.x.length) this.#order = new Uint32Array(batch.x.length);
    const groups = styles * 2 + SPECIAL_GROUPS;
    const start = new Uint32Array(groups + 1);
    const groupOf = (i: number): number => {
      if (batch.form[i] !== BOX_NODE) return groups - 1;
      if ((flags[i]! & FLAG_LABEL_ROW) !== 0) return groups - 2;
      if ((flags[i]! & FLAG_STOPPED) !== 0) return groups - 3;
      return style[i]! * 2 + (flags[i]! & FLAG_FADED);
    };
    for (let i = 0; i < batch.length; i++) start[groupOf(i) + 1]!++;
    for (let g = 0; g < groups; g++) start[g + 1]! += start[g]!;
    const next = start.slice();
    for (let i = 0; i < batch.length; i++) this.#order[next[groupOf(i)]!++] = i;
    return start;
  }

  #fillStyles(scene: Scene, colours: FlameColours, paint: FlamePaint, start: Uint32Array): void {
    const context = this.#boxes;
    const groups = start.length - 1;
    for (let g = 0; g < groups; g++) {
      if (start[g] === start[g + 1]) continue;
      const isHatch = g === groups - 1;
      if (isHatch) context.fillStyle = paint.hatchBackground;
      else if (g === groups - 2) context.fillStyle = paint.labelBackground;
      else if (g === groups - 3) {
        this.#drawStopped(scene, paint, start[g]!, start[g + 1]!);
        continue;
      } else
        context.fillStyle = (g % 2 === 1 ? colours.faded : colours.fill)[g >> 1] ?? paint.hatchBackground;
      this.#fillGroup(scene, start[g]!, start[g + 1]!);
      const pattern = isHatch ? this.#hatchPattern(paint) : null;
      if (pattern !== null) {
        context.fillStyle = pattern;
        this.#fillGroup(scene, start[g]!, start[g + 1]!);
      }
    }
  }

  /** A hole with a dashed rim: what is missing looks missing. */
  #drawStopped(scene: Scene, paint: FlamePaint, from: number, to: number): void {
    const context = this.#boxes;
    context.fillStyle = paint.background;
    this.#fillGroup(scene, from, to);
    const line = Math.max(1, Math.round(this.#ratio));
    context.strokeStyle = paint.labelDetail;
    context.lineWidth = line;
    context.setLineDash([4 * line, 3 * line]);
    for (let o = from; o < to; o++) {
      const i = this.#order[o]!;
      const x0 = Math.round(scene.batch.x[i]!);
      const width = Math.round(scene.batch.x[i]! + scene.batch.width[i]!) - x0 - line;
      context.strokeRect(
        x0 + line / 2,
        scene.batch.y[i]! + line / 2,
        Math.max(0, width - line),
        scene.batch.height[i]! - 2 * line,
      );
    }
    context.setLineDash([]);
  }

  #fillGroup(scene: Scene, from: number, to: number): void {
    const { batch } = scene;
    const context = this.#boxes;
    const gap = Math.max(1, Math.round(this.#ratio));
    for (let o = from; o < to; o++) {
      const i = this.#order[o]!;
      const x0 = Math.round(batch.x[i]!);
      const width = Math.max(1, Math.round(batch.x[i]! + batch.width[i]!) - x0);
      context.fillRect(
        x0,
        batch.y[i]!,
        width >= NARROWEST_WITH_GAP ? width - gap : width,
        batch.height[i]! - gap,
      );
    }
  }

  #fillEdges(scene: Scene, colours: FlameColours, start: Uint32Array): void {
    const { batch, kind, style } = scene;
    const context = this.#boxes;
    const narrowest = NARROWEST_WITH_EDGE_PX * this.#ratio;
    const stripe = EDGE_PX * this.#ratio;
    const gap = Math.max(1, Math.round(this.#ratio));
    const groups = start.length - 1 - SPECIAL_GROUPS;
    for (let g = 0; g < groups; g += 2) {
      let isSet = false;
      for (let o = start[g]!; o < start[g + 1]!; o++) {
        const i = this.#order[o]!;
        if (batch.width[i]! < narrowest) continue;
        const parts = EDGES[kindName(kind[i]!)];
        if (parts === undefined) break;
        if (!isSet) context.fillStyle = colours.edge[style[i]!] ?? '';
        isSet = true;
        const height = batch.height[i]! - gap;
        for (const [from, to] of parts) {
          const y0 = Math.round(batch.y[i]! + height * from);
          context.fillRect(Math.round(batch.x[i]!), y0, stripe, Math.round(batch.y[i]! + height * to) - y0);
        }
      }
    }
  }

  #drawLabels(scene: Scene, paint: FlamePaint): void {
    const context = this.#boxes;
    const { labels } = scene;
    const size = paint.fontPx * this.#ratio;
    const plain = `450 ${size}px ${paint.fontFamily}`;
    const bold = `700 ${size}px ${paint.fontFamily}`;
    context.textBaseline = 'middle';
    // Setting the font is dear: code first, then the few label rows.
    for (const labelRows of [false, true]) {
      context.font = labelRows ? bold : plain;
      for (let i = 0; i < labels.length; i++) {
        const flags = labels.flags[i]!;
        if (((flags & FLAG_LABEL_ROW) !== 0) !== labelRows) continue;
        if (labelRows) context.fillStyle = paint.labelText;
        else if ((flags & FLAG_STOPPED) !== 0) context.fillStyle = paint.labelDetail;
        else context.fillStyle = (flags & FLAG_FADED) === 0 ? paint.text : paint.textFaded;
        context.fillText(labels.text[i] ?? '', labels.x[i]!, labels.y[i]!);
      }
    }
    context.font = plain;
    context.fillStyle = paint.labelDetail;
    const boldAdvance = this.advance(paint, true) * this.#ratio;
    for (let i = 0; i < labels.length; i++) {
      const detail = labels.detail[i] ?? '';
      if (detail === '') continue;
      context.fillText(
        detail,
        labels.x[i]! + ((labels.text[i]?.length ?? 0) + 1.5) * boldAdvance,
        labels.y[i]!,
      );
    }
  }

  /** Width of a character in CSS pixels. Measured once per font, not per label. */
  advance(paint: FlamePaint, bold: boolean): number {
    const key = `${bold ? 700 : 450} ${paint.fontPx}px ${paint.fontFamily}`;
    let width = this.#advances.get(key);
    if (width === undefined) {
      this.#boxes.font = key;
      width = this.#boxes.measureText('0'.repeat(100)).width / 100;
      this.#advances.set(key, width);
    }
    return width;
  }

  /** To be called when a web font has arrived. */
  forgetFonts(): void {
    this.#advances.clear();
  }

  readonly #advances = new Map<string, number>();

  #rect(scene: Scene, i: number): void {
    const { batch } = scene;
    const x0 = Math.round(batch.x[i]!);
    const gap = Math.max(1, Math.round(this.#ratio));
    const width = Math.max(1, Math.round(batch.x[i]! + batch.width[i]!) - x0);
    this.#marks.fillRect(
      x0,
      batch.y[i]!,
      width >= NARROWEST_WITH_GAP ? width - gap : width,
      batch.height[i]! - gap,
    );
  }

  #outline(scene: Scene, i: number, colour: string, widthPx: number): void {
    const context = this.#marks;
    if (scene.batch.width[i]! < NARROWEST_OUTLINED) {
      context.fillStyle = colour;
      this.#rect(scene, i);
      return;
    }
    const { batch } = scene;
    const line = Math.max(1, Math.round(widthPx * this.#ratio));
    const gap = Math.max(1, Math.round(this.#ratio));
    const x0 = Math.round(batch.x[i]!);
    const width = Math.round(batch.x[i]! + batch.width[i]!) - x0 - gap;
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(x0 + line / 2, batch.y[i]! + line / 2, width - line, batch.height[i]! - gap - line);
  }

  #hatchPattern(paint: FlamePaint): CanvasPattern | null {
    const key = `${paint.hatch} ${this.#ratio}`;
    if (this.#hatch?.key !== key) {
      const size = Math.round(6 * this.#ratio);
      const tile = new OffscreenCanvas(size, size);
      const context = tile.getContext('2d');
      if (context === null) return null;
      context.strokeStyle = paint.hatch;
      context.lineWidth = 1.4 * this.#ratio;
      context.beginPath();
      for (const offset of [-size, 0, size]) {
        context.moveTo(offset - 1, size + 1);
        context.lineTo(offset + size + 1, -1);
      }
      context.stroke();
      this.#hatch = { key, pattern: this.#boxes.createPattern(tile, 'repeat') };
    }
    return this.#hatch.pattern;
  }
}
