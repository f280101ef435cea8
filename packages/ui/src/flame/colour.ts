import { FRAME_KINDS, type FrameKind, type FrameTable } from '@fleetflame/profile';
import { cssColour, oklchToRgb } from '../theme/oklch.ts';

/**
 * Colours of boxes. The kind of code gives a band of hues, the name of the binary a place in it:
 * names that begin alike sit close, and a binary has the same colour in every picture, whatever else
 * is in it. One lightness and one text colour per theme keep every label readable.
 *
 *   kernel        20–48      ember, set apart by its edge, too
 *   native        66–112 and 182–262   sand to olive, cyan to blue
 *   jit           132–162    green
 *   interpreted   285–320    violet
 *   inlined       as native, paler: it lies in the code of its caller
 *   unknown       –          grey
 *   stopped       –          no fill: callers are missing there
 */
type Band = readonly [from: number, to: number];

const BANDS: Readonly<Record<FrameKind, readonly Band[]>> = {
  kernel: [[20, 48]],
  native: [
    [66, 112],
    [182, 262],
  ],
  jit: [[132, 162]],
  interpreted: [[285, 320]],
  inlined: [
    [66, 112],
    [182, 262],
  ],
  unknown: [],
  label: [],
  root: [],
  stopped: [],
};
/** Of the theme's chroma, what inlined calls have. */
const INLINED_CHROMA = 0.5;

/** Chroma of what has no hue of its own: a trace of violet, as C2 asks for unknown code. */
const GREY_CHROMA = 0.015;
const GREY_HUE = 300;

export interface FlameTheme {
  readonly lightness: number;
  readonly chroma: number;
  /** Dark themes darken what is faded, light themes lighten it. */
  readonly dark: boolean;
}

/** Styles of one frame table: `ofFrame` indexes `fill`, `faded` and `edge`. */
export interface FlameColours {
  readonly ofFrame: Uint16Array;
  readonly fill: readonly string[];
  /** Of boxes that the search did not match: less than half the chroma, closer to the ground. */
  readonly faded: readonly string[];
  /** The stripe at the left edge. */
  readonly edge: readonly string[];
}

export function colourFrames(frames: FrameTable, theme: FlameTheme): FlameColours {
  const styles = new Map<string, number>();
  const fill: string[] = [];
  const faded: string[] = [];
  const edge: string[] = [];
  const ofFrame = new Uint16Array(frames.length);
  for (let f = 0; f < frames.length; f++) {
    const kind = FRAME_KINDS[frames.kind[f]!] ?? 'unknown';
    const key = `${kind}|${frames.binary[f]}`;
    let style = styles.get(key);
    if (style === undefined) {
      style = fill.length;
      styles.set(key, style);
      const binary = frames.strings[frames.binary[f]!] ?? '';
      const bands = BANDS[kind === 'inlined' && binary === '[kernel]' ? 'kernel' : kind];
      const isGrey = bands.length === 0;
      const hue = isGrey ? GREY_HUE : hueAt(bands, positionOf(binary));
      const chroma = isGrey ? GREY_CHROMA : chromaOf(kind, theme);
      fill.push(cssColour(oklchToRgb(theme.lightness, chroma, hue)));
      const away = theme.dark ? -0.11 : 0.08;
      faded.push(cssColour(oklchToRgb(theme.lightness + away, chroma * 0.35, hue)));
      const edgeChroma = isGrey ? GREY_CHROMA : theme.chroma;
      edge.push(cssColour(oklchToRgb(theme.dark ? 0.68 : 0.58, edgeChroma * 1.6, hue)));
    }
    ofFrame[f] = style;
  }
  return { ofFrame, fill, faded, edge };
}

/**
 * Where in its bands a binary lies, 0 to 1, from its name alone: three quarters by its first letters,
 * one quarter by a hash that separates names that begin alike.
 */
function positionOf(binary: string): number {
  const word = binary.replace(/^lib/u, '').toLowerCase();
  const letter = (i: number): number => Math.min(25, Math.max(0, (word.codePointAt(i) ?? 97) - 97));
  let hash = 0x811c9dc5;
  for (let i = 0; i < binary.length; i++) hash = Math.imul(hash ^ binary.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  return 0.75 * ((letter(0) * 26 + letter(1)) / 676) + 0.25 * ((hash >>> 0) / 4_294_967_296);
}

function hueAt(bands: readonly Band[], share: number): number {
  const width = bands.reduce((sum, [from, to]) => sum + to - from, 0);
  let rest = share * width;
  for (const [from, to] of bands) {
    if (rest <= to - from) return from + rest;
    rest -= to - from;
  }
  return bands[0]?.[0] ?? GREY_HUE;
}

/** All hues that a kind may take, for the legend and the contrast test. */
export function sampleHues(kind: FrameKind, count: number): readonly number[] {
  const bands = BANDS[kind];
  if (bands.length === 0) return [];
  return Array.from({ length: count }, (_, i) => hueAt(bands, (i + 0.5) / count));
}

function chromaOf(kind: FrameKind, theme: FlameTheme): number {
  return kind === 'inlined' ? theme.chroma * INLINED_CHROMA : theme.chroma;
}

export function kindColour(kind: FrameKind, theme: FlameTheme): string {
  const hue = sampleHues(kind, 1)[0];
  const chroma = hue === undefined ? GREY_CHROMA : chromaOf(kind, theme);
  return cssColour(oklchToRgb(theme.lightness, chroma, hue ?? GREY_HUE));
}
