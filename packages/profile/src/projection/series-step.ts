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
