/**
 * Series over time as a stack: typed arrays that the chart draws from. One band per group, largest
 * at the bottom, the rest on top; `upper` of the last band is the sum.
 */

export interface SeriesInput {
  readonly name: string;
  /** Sum per step, in the unit of the profile type. */
  readonly values: Float64Array;
  /** True for the group that sums all beyond the limit. */
  readonly rest: boolean;
}

export interface Band {
  readonly name: string;
  readonly rest: boolean;
  /** Position in the palette: by name, so that a refresh keeps every colour. */
  readonly colour: number;
  /** Values per step after `scale`: cores, or whatever the unit gives. */
  readonly values: Float64Array;
  readonly upper: Float64Array;
  /** Sum of the raw values. */
  readonly total: number;
}

export interface StackedSeries {
  readonly stepMs: number;
  /** Start of every step, Unix milliseconds. */
  readonly times: Float64Array;
  readonly bands: readonly Band[];
  /** The highest sum of a step. */
  readonly peak: number;
}

export interface StackOptions {
  readonly stepMs: number;
  /** Values of a step over a step of full length become this much each: 1 / (step in ns) gives cores. */
  readonly scale: number;
  /** The window and the newest sample: a step that they cut has less time to fill, and is scaled up. */
  readonly fromMs: number;
  readonly endMs: number;
  /** Number of colours; the rest takes none of them. */
  readonly colours: number;
}

/** A step that is covered by less than this share is left out: a few samples would make a spike. */
const LEAST_COVERED_SHARE = 0.3;

export function stackSeries(
  times: Float64Array,
  groups: readonly SeriesInput[],
  options: StackOptions,
): StackedSeries {
  const { stepMs, fromMs, endMs } = options;
  const covered = times.map((start) => {
    const share = (Math.min(start + stepMs, endMs) - Math.max(start, fromMs)) / stepMs;
    return Math.min(1, Math.max(0, share));
  });
  const kept: number[] = [];
  for (let i = 0; i < times.length; i++) if (covered[i]! >= LEAST_COVERED_SHARE) kept.push(i);
  const colourOf = assignColours(groups, options.colours);
  const lower = new Float64Array(kept.length);
  const ordered = [...groups].toSorted(
    (a, b) => Number(a.rest) - Number(b.rest) || sum(b.values) - sum(a.values),
  );
  const bands = ordered.map((group): Band => {
    const values = new Float64Array(kept.length);
    const upper = new Float64Array(kept.length);
    kept.forEach((step, i) => {
      values[i] = (group.values[step]! * options.scale) / covered[step]!;
      lower[i] = lower[i]! + values[i];
      upper[i] = lower[i]!;
    });
    return {
      name: group.name,
      rest: group.rest,
      colour: colourOf.get(group) ?? 0,
      values,
      upper,
      total: sum(group.values),
    };
  });
  return {
    stepMs,
    times: Float64Array.from(kept, (step) => times[step]!),
    bands,
    peak: lower.reduce((max, value) => Math.max(max, value), 0),
  };
}

/**
 * Colours by hash of the name, so that a group keeps its colour when others come and go; taken ones
 * move on to the next free.
 */
function assignColours(groups: readonly SeriesInput[], colours: number): Map<SeriesInput, number> {
  const taken = new Set<number>();
  const result = new Map<SeriesInput, number>();
  for (const group of [...groups].toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (group.rest) continue;
    let colour = hash(group.name) % colours;
    while (taken.has(colour) && taken.size < colours) colour = (colour + 1) % colours;
    taken.add(colour);
    result.set(group, colour);
  }
  return result;
}

function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 13)) >>> 0;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Index of the step that holds a time; undefined outside. */
export function stepAt(series: StackedSeries, timeMs: number): number | undefined {
  let low = 0;
  let high = series.times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (series.times[middle]! <= timeMs) low = middle + 1;
    else high = middle;
  }
  const index = low - 1;
  return index >= 0 && timeMs < series.times[index]! + series.stepMs ? index : undefined;
}

/** A round number at or above `peak`, and the ticks up to it: 1, 2 or 5 times a power of ten apart. */
export function valueTicks(
  peak: number,
  most: number,
  unitSize = 1,
): { readonly top: number; readonly ticks: readonly number[] } {
  if (!(peak > 0)) return { top: 1, ticks: [0, 1] };
  const rough = peak / unitSize / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = unitSize * power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const count = Math.ceil(peak / step - 1e-9);
  return { top: count * step, ticks: Array.from({ length: count + 1 }, (_, i) => i * step) };
}

const TIME_STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
];

/** Whole moments of local time inside a window, at most `most`. */
export function timeTicks(fromMs: number, toMs: number, most: number): readonly number[] {
  const step = (TIME_STEPS_S.find((s) => (toMs - fromMs) / (s * 1000) <= most) ?? 604_800) * 1000;
  const offset = new Date(fromMs).getTimezoneOffset() * 60_000;
  const ticks: number[] = [];
  for (let tick = Math.ceil((fromMs - offset) / step) * step + offset; tick <= toMs; tick += step)
    ticks.push(tick);
  return ticks;
}
