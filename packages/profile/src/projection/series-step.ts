/** Steps of a chart: more points than these are more than two a pixel. */
const MOST_STEPS = 240;
const SECOND_MS = 1000;
const DAY_MS = 86_400_000;
/** Seconds. Those from five minutes on are what rollups can answer (packages/store/src/compaction/rollups.ts). */
const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
] as const;

/** The step, in ms, in which a range of `rangeMs` is best asked for: round, and at most 240 of them. */
export function seriesStepMs(rangeMs: number): number {
  const wanted = rangeMs / MOST_STEPS;
  for (const step of STEPS) if (step * SECOND_MS >= wanted) return step * SECOND_MS;
  return Math.ceil(wanted / DAY_MS) * DAY_MS;
}

/** Ranges from so long on begin with a cell of rollups. */
const COARSE: readonly (readonly [rangeMs: number, cellMs: number])[] = [
  [48 * 3_600_000, 3_600_000],
  [6 * 3_600_000, 300_000],
];

/**
 * Where a range of about `rangeMs` that ends at `toMs` (Unix ms) is best begun: a little earlier, so that rollups can
 * answer for its beginning, where raw samples are many, or gone.
 */
export function liveRangeStartMs(toMs: number, rangeMs: number): number {
  const fromMs = toMs - rangeMs;
  const cellMs = COARSE.find(([longMs]) => rangeMs >= longMs)?.[1] ?? 1;
  return fromMs - (fromMs % cellMs);
}
