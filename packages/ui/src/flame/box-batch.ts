import type { NodeIndex } from '@fleetflame/profile';

/** What a box stands for. */
export const BOX_NODE = 0;
/** A run of neighbours that are each too narrow to draw. */
export const BOX_MERGED = 1;
/** Nodes that the server pruned below their parent. */
export const BOX_PRUNED = 2;

/**
 * More boxes than this are never drawn: at two device pixels a box, 40 rows of a 1,600-pixel view
 * hold 32,000 at the very worst, and Canvas2D takes about 3 µs for each. What does not fit is merged
 * into wider hatched boxes, and counted in `count`.
 */
export const MAX_BOXES = 16_384;

/** The boxes of one frame, in device pixels. Filled anew for every frame, never reallocated. */
export interface BoxBatch {
  length: number;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly width: Float32Array;
  readonly height: Float32Array;
  /** BOX_MERGED: the first node of the run. BOX_PRUNED: the parent. */
  readonly node: Int32Array;
  /** Nodes that the box stands for; 1 for BOX_NODE. Nodes below a merged one are not counted. */
  readonly count: Uint32Array;
  /** Value that the box stands for. */
  readonly value: Float64Array;
  readonly form: Uint8Array;
}

export function createBoxBatch(capacity = MAX_BOXES): BoxBatch {
  return {
    length: 0,
    x: new Float32Array(capacity),
    y: new Float32Array(capacity),
    width: new Float32Array(capacity),
    height: new Float32Array(capacity),
    node: new Int32Array(capacity),
    count: new Uint32Array(capacity),
    value: new Float64Array(capacity),
    form: new Uint8Array(capacity),
  };
}

/** A box under the pointer. */
export interface BoxHit {
  readonly form: number;
  readonly node: NodeIndex;
  readonly count: number;
  readonly value: number;
}
