import { FRAME_KINDS, type FlameTable } from '@fleetflame/profile';
import { BOX_NODE, MAX_BOXES, type BoxBatch } from './box-batch.ts';
import type { FlameColours } from './colour.ts';
import { LABEL_KIND, ROOT_KIND, STOPPED_KIND } from './layout.ts';
import type { Matches } from './search.ts';
import { cutText, fitName } from './shorten.ts';

/**
 * What a frame of drawing needs beyond the geometry: which style each box has and which words stand
 * in it. Renderers draw a scene and know nothing of trees.
 */
export interface Scene {
  readonly batch: BoxBatch;
  /** Per box: index into `FlameColours.fill`. */
  readonly style: Uint16Array;
  /** Per box: FLAG_* bits. */
  readonly flags: Uint8Array;
  /** Per box: index into FRAME_KINDS. */
  readonly kind: Uint8Array;
  readonly labels: LabelBatch;
}

/** Not matched by the search. */
export const FLAG_FADED = 1;
/** A group-by level or the root: not code. */
export const FLAG_LABEL_ROW = 2;
/** In place of callers that are missing: not code. */
export const FLAG_STOPPED = 4;

export interface LabelBatch {
  length: number;
  readonly text: string[];
  /** Device pixels; y is the middle of the row. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** FLAG_* bits of the box. */
  readonly flags: Uint8Array;
  /** Behind `text` in label rows: the amount. '' for none. */
  readonly detail: string[];
}

/**
 * Drawing text costs about 40 µs a label in software; what 600 labels cannot say is in boxes too
 * narrow to read anyway.
 */
export const MAX_LABELS = 600;
/** CSS pixels: three characters and the padding. */
const NARROWEST_LABEL_PX = 26;
const LABEL_PADDING_PX = 6;

export interface SceneInput {
  readonly table: FlameTable;
  readonly colours: FlameColours;
  readonly matches: Matches | undefined;
  readonly pixelRatio: number;
  /** Width of one character of the label font, CSS pixels: it is monospace. */
  readonly advancePx: number;
  readonly boldAdvancePx: number;
  readonly amount: (value: number) => string;
}

export function createScene(batch: BoxBatch): Scene {
  return {
    batch,
    style: new Uint16Array(MAX_BOXES),
    flags: new Uint8Array(MAX_BOXES),
    kind: new Uint8Array(MAX_BOXES),
    labels: {
      length: 0,
      text: [],
      x: new Float32Array(MAX_LABELS),
      y: new Float32Array(MAX_LABELS),
      flags: new Uint8Array(MAX_LABELS),
      detail: [],
    },
  };
}

export function fillScene(scene: Scene, input: SceneInput): void {
  const { batch, style, flags, kind } = scene;
  const { table, colours, matches } = input;
  for (let i = 0; i < batch.length; i++) {
    const node = batch.node[i]!;
    const frame = table.frame[node]!;
    const frameKind = table.frames.kind[frame]!;
    style[i] = colours.ofFrame[frame]!;
    kind[i] = frameKind;
    const isLabel = frameKind === LABEL_KIND || frameKind === ROOT_KIND;
    const isFaded = matches !== undefined && !isLabel && matches.frames[frame] === 0;
    const isStopped = frameKind === STOPPED_KIND;
    flags[i] = (isFaded ? FLAG_FADED : 0) | (isLabel ? FLAG_LABEL_ROW : 0) | (isStopped ? FLAG_STOPPED : 0);
  }
  fillLabels(scene, input);
}

function fillLabels(scene: Scene, input: SceneInput): void {
  const { batch, flags, labels } = scene;
  const { table, pixelRatio, advancePx, boldAdvancePx } = input;
  const narrowest = labelThreshold(batch, NARROWEST_LABEL_PX * pixelRatio);
  labels.length = 0;
  for (let i = 0; i < batch.length && labels.length < MAX_LABELS; i++) {
    if (batch.form[i] !== BOX_NODE || batch.width[i]! < narrowest) continue;
    const isLabel = (flags[i]! & FLAG_LABEL_ROW) !== 0;
    const node = batch.node[i]!;
    const name = table.frames.strings[table.frames.name[table.frame[node]!]!] ?? '';
    const room = batch.width[i]! / pixelRatio - 2 * LABEL_PADDING_PX;
    const advance = isLabel ? boldAdvancePx : advancePx;
    const chars = Math.floor(room / advance);
    // The value of a label is no function name: it is cut, never taken apart.
    const text = isLabel ? cutText(name, chars) : fitName(name, chars);
    if (text === '') continue;
    const at = labels.length++;
    labels.text[at] = text;
    labels.x[at] = batch.x[i]! + LABEL_PADDING_PX * pixelRatio;
    labels.y[at] = batch.y[i]! + batch.height[i]! / 2;
    labels.flags[at] = flags[i]!;
    const detail = isLabel ? input.amount(table.total[node]!) : '';
    const left = room - text.length * advance;
    labels.detail[at] = detail !== '' && left > (detail.length + 2) * advancePx ? detail : '';
  }
}

/** The narrowest width at which no more than MAX_LABELS boxes want a label. */
function labelThreshold(batch: BoxBatch, narrowest: number): number {
  let threshold = narrowest;
  for (;;) {
    let wanting = 0;
    for (let i = 0; i < batch.length; i++) {
      if (batch.form[i] === BOX_NODE && batch.width[i]! >= threshold) wanting++;
    }
    if (wanting <= MAX_LABELS) return threshold;
    threshold *= 1.3;
  }
}

export function kindName(kind: number): string {
  return FRAME_KINDS[kind] ?? 'unknown';
}
