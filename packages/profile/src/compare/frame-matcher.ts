import { FRAME_KINDS, type FrameIndex, type FrameKind } from '../projection/flame-table.ts';
import { FrameInterner } from '../projection/frame-interner.ts';
import { binaryFamily, comparisonName } from './comparison-name.ts';

/** `names`: by comparison name and binary family; `exact`: by name and binary as they are. */
export const MATCH_MODES = ['names', 'exact'] as const;
export type MatchMode = (typeof MATCH_MODES)[number];

/** The two sides of a comparison. */
export const BASE = 0;
export const NEW = 1;
export type SideIndex = typeof BASE | typeof NEW;

export interface ShownName {
  readonly name: string;
  readonly binary: string;
}

const INLINED = FRAME_KINDS.indexOf('inlined');
/** Kinds that are no functions: they are the same only among themselves. */
const APART = new Set((['label', 'stopped', 'root'] as const).map((kind) => FRAME_KINDS.indexOf(kind)));
const FUNCTION = FRAME_KINDS.indexOf('unknown');
/** Bits of how a function was seen on a side. */
const CALLED_BIT = 1;
const INLINED_BIT = 2;

/**
 * Decides which frames of two profiles are the same function: file and build do not tell functions apart, nor does it
 * whether a call is inlined. Frames without a name are one per binary, since their addresses move with every build.
 */
export class FrameMatcher {
  /** One frame per function; its numbers are those of `match`. */
  readonly frames = new FrameInterner();
  readonly #mode: MatchMode;
  /** Per function: the names it has, by name and binary. */
  readonly #originals: (Map<string, ShownName> | undefined)[] = [];
  readonly #kind: FrameKind[] = ['root'];
  /** Per side and function: bits of how it was seen. */
  readonly #seen: readonly [number[], number[]] = [[], []];

  constructor(mode: MatchMode = 'names') {
    this.#mode = mode;
  }

  /** The function of each frame of a side; of those that `used` does not mark, 0. */
  match(side: SideIndex, frames: FrameInterner, used: Uint8Array): Uint32Array {
    const functionOf = new Uint32Array(frames.length);
    for (let frame = 1; frame < frames.length; frame++) {
      if (used[frame] === 1) functionOf[frame] = this.#function(side, frames, frame);
    }
    return functionOf;
  }

  #function(side: SideIndex, frames: FrameInterner, frame: FrameIndex): FrameIndex {
    const kind = frames.kind[frame]!;
    const binary = frames.binaryOf(frame);
    const isApart = APART.has(kind);
    const name = frames.nameOf(frame);
    const isExact = isApart || this.#mode === 'exact';
    const family = isExact ? binary : binaryFamily(binary);
    const isUnnamed = !isApart && frames.namedOf(frame) === 0;
    let key = name;
    if (!isExact) key = isUnnamed ? `${family === '' ? '[unknown]' : family}+0x…` : comparisonName(name);
    const fn = this.frames.intern(key, '', family, isApart ? kind : FUNCTION, isUnnamed ? 0 : 1);
    if (this.#originals[fn] === undefined) {
      this.#originals[fn] = new Map();
      this.#kind[fn] = FRAME_KINDS[kind] ?? 'unknown';
    } else if (kind !== INLINED && this.#kind[fn] === 'inlined') {
      // Where it is called it has a kind of its own.
      this.#kind[fn] = FRAME_KINDS[kind] ?? 'unknown';
    }
    if (!isUnnamed) this.#originals[fn].set(JSON.stringify([name, binary]), { name, binary });
    const seen = this.#seen[side];
    seen[fn] = (seen[fn] ?? 0) | (kind === INLINED ? INLINED_BIT : CALLED_BIT);
    return fn;
  }

  /** Names that are another function's name besides: how many fewer functions there are than names. */
  get joinedNames(): number {
    let joined = 0;
    for (const names of this.#originals) joined += Math.max(0, (names?.size ?? 0) - 1);
    return joined;
  }

  /** Name and binary to show: as they were where there is one of them, else what is compared. */
  shownOf(fn: FrameIndex): ShownName {
    const [only, other] = this.#originals[fn]?.values() ?? [];
    if (only === undefined || other !== undefined)
      return { name: this.frames.nameOf(fn), binary: this.frames.binaryOf(fn) };
    return only;
  }

  kindOf(fn: FrameIndex): FrameKind {
    return this.#kind[fn] ?? 'unknown';
  }

  /** It is on both sides, but inlined on one of them where it is called on the other. */
  inliningChanged(fn: FrameIndex): boolean {
    const [base, next] = [this.#seen[BASE][fn] ?? 0, this.#seen[NEW][fn] ?? 0];
    return base !== 0 && next !== 0 && base !== next;
  }
}
