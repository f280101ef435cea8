import type { FlameColours } from './colour.ts';
import type { Scene } from './scene.ts';

/** Colours and fonts of the canvas, read from the CSS variables of the theme. */
export interface FlamePaint {
  readonly background: string;
  readonly text: string;
  readonly textFaded: string;
  readonly labelBackground: string;
  readonly labelText: string;
  readonly labelDetail: string;
  readonly hatch: string;
  readonly hatchBackground: string;
  readonly outline: string;
  readonly hover: string;
  readonly accent: string;
  readonly match: string;
  readonly fontFamily: string;
  readonly fontPx: number;
}

/** Which boxes to mark on top of the picture. -1: none. */
export interface Marks {
  /** Function under the pointer, row of FrameTable: every box of it lights up. */
  readonly hoverFrame: number;
  /** Box under the pointer, index in the batch. */
  readonly hoverNode: number;
  /** Frames of the selected function; 1 for each. */
  readonly selectedFrames: Uint8Array | undefined;
  /** Box with the keyboard's cursor. */
  readonly cursorNode: number;
  readonly matchFrames: Uint8Array | undefined;
  /** The match that n and N are at; -1 for none. */
  readonly currentMatch: number;
  /** Frame of a node. */
  readonly frameOf: Uint32Array;
}

/**
 * Draws scenes. Boxes and marks are two layers, so that moving the pointer never draws a box again.
 * Sizes are device pixels.
 */
export interface Renderer {
  resize(width: number, height: number, pixelRatio: number): void;
  drawBoxes(scene: Scene, colours: FlameColours, paint: FlamePaint): void;
  drawMarks(scene: Scene, marks: Marks, paint: FlamePaint): void;
}
