/**
 * The flame table: the projection that a flame graph is drawn from. A tree of frames in pre-order,
 * struct-of-arrays, so that culling, layout and search are loops over typed arrays.
 *
 *   row      0 ─ root (all)           parent -1, depth 0, total = sum of all samples
 *            1 ├─ main                subtreeEnd[1] = 4: rows 2 and 3 are below main
 *            2 │  ├─ parse
 *            3 │  └─ write
 *            4 └─ [kernel] ...
 *
 * Siblings are ordered by name, so a refresh never reshuffles the picture. A node's total is at
 * least its self plus its children's totals; the difference was pruned.
 */

/** Row of `FlameTable`. */
export type NodeIndex = number;
/** Row of `FrameTable`. */
export type FrameIndex = number;

/** What a frame is. The number is what the `kind` column stores. */
export const FRAME_KINDS = [
  'unknown',
  'native',
  'kernel',
  'jit',
  'interpreted',
  /** The value of a group-by label. */
  'label',
  'root',
  /** A call that the compiler put into its caller: it has no address of its own. */
  'inlined',
  /** No function: in place of callers that could not be found; the name says why. */
  'stopped',
] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

/** In place of a build id: the function comes from several builds of the binary. */
export const SEVERAL_BUILDS = 'several';

/** One row per distinct (name, filename, binary, kind). */
export interface FrameTable {
  readonly length: number;
  /** Indices into `strings`. */
  readonly name: Uint32Array;
  readonly filename: Uint32Array;
  /** Base name of the binary, [kernel], or "". */
  readonly binary: Uint32Array;
  /** In lower-case hex, "" where it is not known, or SEVERAL_BUILDS. */
  readonly buildId: Uint32Array;
  /** Line on which the function begins; 0 where it is not known or not the same in all builds. */
  readonly startLine: Uint32Array;
  /** Index into FRAME_KINDS. */
  readonly kind: Uint8Array;
  /** 1 when the frame has a name, 0 when the name is binary+0xaddr. */
  readonly named: Uint8Array;
  readonly strings: readonly string[];
}

export interface FlameTable {
  readonly length: number;
  /** -1 for the root, else less than the row's own index. */
  readonly parent: Int32Array;
  /** One past the last row of the node's subtree. */
  readonly subtreeEnd: Int32Array;
  /** 0 for the root. */
  readonly depth: Uint16Array;
  readonly frame: Uint32Array;
  /** In the unit of the profile type. */
  readonly total: Float64Array;
  readonly self: Float64Array;
  /** Nodes that were pruned below this one. */
  readonly prunedNodes: Uint32Array;
  readonly frames: FrameTable;
}
