/**
 * Blocks are merged into windows of wall-clock time, aligned to UTC:
 *
 *   level   window        why
 *   0       –             segments, as ingest wrote them, about a second of arrivals each
 *   1       minute        soon after it is over
 *   2       ten minutes   the running hour is then at most 6 of them, some minutes and segments
 *   3       hour
 *   4       quarter day   a day is then 4 of them and a few hours
 *   5       day           when it is past the ranges that people look at most; a month is 30 reads
 *
 * A block repeats the stacks and names of its neighbours, so a range costs by its blocks: each level
 * brings the last day to about 20 of them, at any time, for one more writing of every sample
 * (bench/day has the numbers).
 *
 * Where a sample lands depends only on its time and on now, not on when it arrived: what comes late
 * goes straight to the widest window that is over, becomes another block of that window, and is
 * merged with its neighbours later.
 */
import type { LevelEdge, LevelWindow } from '../catalog/compaction-view.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

interface Level {
  readonly level: number;
  readonly windowMs: number;
  /** How long after its end a window is merged. */
  readonly slackMs: number;
}

/** Agents send every ten seconds and retry within some more: most of a minute is here by then. */
const MINUTE: Level = { level: 1, windowMs: MINUTE_MS, slackMs: 20_000 };
/** The last minute must have been merged. */
const TEN_MINUTES: Level = { level: 2, windowMs: 10 * MINUTE_MS, slackMs: 60_000 };
/** The last ten minutes must have been merged, and a short outage of an agent be over. */
const HOUR: Level = { level: 3, windowMs: HOUR_MS, slackMs: 180_000 };
/** The last hour must have been merged. */
const QUARTER_DAY: Level = { level: 4, windowMs: 6 * HOUR_MS, slackMs: 600_000 };
/**
 * A range that cuts a block has to read and sum its points. The last 24 hours, looked at live, must
 * not do so with a whole day: it is older than that when it is merged.
 */
const DAY: Level = { level: 5, windowMs: DAY_MS, slackMs: 26 * HOUR_MS };

const WIDEST_FIRST: readonly Level[] = [DAY, QUARTER_DAY, HOUR, TEN_MINUTES, MINUTE];

export interface Window {
  /** 0: its minute is not over yet. */
  readonly level: number;
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
}

/** The widest window around `timeMs` that is over at `nowMs`; else its minute, at level 0. */
export function windowAt(timeMs: number, nowMs: number): Window {
  for (const level of WIDEST_FIRST) {
    const window = windowOf(level, timeMs, level.level);
    if (window.endMs + level.slackMs <= nowMs) return window;
  }
  return windowOf(MINUTE, timeMs, 0);
}

/** What begins before an edge lies, for that level, in a window that is over. */
export function levelEdges(nowMs: number): LevelEdge[] {
  return WIDEST_FIRST.map(({ level, windowMs, slackMs }) => ({
    level,
    beforeMs: Math.floor((nowMs - slackMs) / windowMs) * windowMs,
  }));
}

export const LEVEL_WINDOWS: readonly LevelWindow[] = WIDEST_FIRST;

function windowOf(level: Level, timeMs: number, number: number): Window {
  const startMs = Math.floor(timeMs / level.windowMs) * level.windowMs;
  return { level: number, startMs, endMs: startMs + level.windowMs };
}
