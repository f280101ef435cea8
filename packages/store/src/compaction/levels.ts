/**
 * Blocks are merged into windows of wall-clock time, aligned to UTC:
 *
 *   level   window   why
 *   0       –        segments, as ingest wrote them, about a second of arrivals each
 *   1       minute   soon after it is over, so that an hour is 60 reads and not 3,600
 *   2       hour     a day is then at most 24 hours + 60 minutes + some segments
 *   3       day      a month is then 30 reads
 *
 * Where a sample lands depends only on its time and on now, not on when it arrived: what comes late
 * goes straight to the widest window that is over, becomes another block of that window, and is
 * merged with its neighbours later.
 */

/** Agents send every ten seconds and retry within some more: most of a minute is here by then. */
const MINUTE_SLACK_MS = 20_000;
/** The last minute of the hour must have been merged, and a short outage of an agent be over. */
const HOUR_SLACK_MS = 180_000;
/** The last hour of the day must have been merged; the day is rewritten once, so it may wait. */
const DAY_SLACK_MS = 1_800_000;

interface Level {
  readonly level: number;
  readonly windowMs: number;
  readonly slackMs: number;
}

const MINUTE: Level = { level: 1, windowMs: 60_000, slackMs: MINUTE_SLACK_MS };
const HOUR: Level = { level: 2, windowMs: 3_600_000, slackMs: HOUR_SLACK_MS };
const DAY: Level = { level: 3, windowMs: 86_400_000, slackMs: DAY_SLACK_MS };

const WIDEST_FIRST: readonly Level[] = [DAY, HOUR, MINUTE];

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

function windowOf(level: Level, timeMs: number, number: number): Window {
  const startMs = Math.floor(timeMs / level.windowMs) * level.windowMs;
  return { level: number, startMs, endMs: startMs + level.windowMs };
}
