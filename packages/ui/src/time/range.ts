/** Time ranges: what the user asked for, and what it means at one moment. */
import { liveRangeStartMs } from '@fleetflame/profile';

export type TimeRange =
  | { readonly kind: 'last'; readonly lastMs: number }
  | { readonly kind: 'absolute'; readonly fromMs: number; readonly toMs: number };

/** A range with both ends fixed: `fromMs` inclusive, `toMs` exclusive. */
export interface TimeWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const LIVE_PRESETS = [5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR, 7 * DAY] as const;
export const DEFAULT_LAST_MS = 15 * MINUTE;

/** The agent's times are whole seconds; a shorter range cannot be told from its neighbours. */
export const SHORTEST_RANGE_MS = SECOND;

export function resolveRange(range: TimeRange, nowMs: number): TimeWindow {
  if (range.kind === 'absolute') return { fromMs: range.fromMs, toMs: range.toMs };
  const toMs = Math.ceil(nowMs / SECOND) * SECOND;
  return { fromMs: liveRangeStartMs(toMs, range.lastMs), toMs };
}

/** Moves a window by a share of its length; never past now. */
export function shiftWindow(window: TimeWindow, share: number, nowMs: number): TimeRange {
  const length = window.toMs - window.fromMs;
  const toMs = Math.min(window.toMs + Math.round(length * share), Math.ceil(nowMs / SECOND) * SECOND);
  return { kind: 'absolute', fromMs: toMs - length, toMs };
}

/** Twice the window around its middle; never past now. */
export function widenWindow(window: TimeWindow, nowMs: number): TimeRange {
  const length = window.toMs - window.fromMs;
  const toMs = Math.min(window.toMs + length / 2, Math.ceil(nowMs / SECOND) * SECOND);
  return { kind: 'absolute', fromMs: Math.floor(toMs - length * 2), toMs: Math.floor(toMs) };
}

/** 90 s, 15 min, 6 h, 7 d: the largest unit that stays a whole number. */
export function formatDuration(ms: number): string {
  if (ms % DAY === 0 && ms >= 2 * DAY) return `${ms / DAY} d`;
  if (ms % HOUR === 0 && ms >= HOUR) return `${ms / HOUR} h`;
  if (ms % MINUTE === 0 && ms >= MINUTE && ms < 2 * HOUR) return `${ms / MINUTE} min`;
  if (ms >= 2 * DAY) return `${Math.floor(ms / DAY)} d ${Math.round((ms % DAY) / HOUR)} h`;
  if (ms >= HOUR) return `${Math.floor(ms / HOUR)} h ${Math.round((ms % HOUR) / MINUTE)} min`;
  if (ms >= MINUTE) return `${Math.floor(ms / MINUTE)} min ${Math.round((ms % MINUTE) / SECOND)} s`;
  return `${Math.max(0, Math.round(ms / SECOND))} s`;
}

/** "3 s ago" without the "ago": one unit, rounded down. */
export function formatAge(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/**
 * Local wall-clock time, with the date when it is not today's, the year when it is not this one, and the offset where
 * the clock says the same twice.
 */
export function formatClock(ms: number, nowMs: number): string {
  const time = new Date(ms);
  const zone = isTwice(ms) ? ` ${formatOffset(ms)}` : '';
  const clock = `${time.toLocaleTimeString('en-GB')}${zone}`;
  const now = new Date(nowMs);
  if (time.toDateString() === now.toDateString()) return clock;
  const year = time.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' as const };
  return `${time.toLocaleDateString('en-GB', { day: '2-digit', month: 'short', ...year })} ${clock}`;
}

/** Whether the same local time is there twice: clocks are set back by an hour, somewhere by half of one. */
function isTwice(ms: number): boolean {
  const local = toLocalInput(ms);
  return [HOUR, HOUR / 2].some((by) => toLocalInput(ms - by) === local || toLocalInput(ms + by) === local);
}

function digits(value: number): string {
  return String(value).padStart(2, '0');
}

/** "UTC+02:00": what local time is at this moment. */
export function formatOffset(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? '-' : '+'}${digits(Math.floor(size / 60))}:${digits(size % 60)}`;
}

/** Value of an <input type="datetime-local" step="1">, local time. */
export function toLocalInput(ms: number): string {
  const shifted = new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE);
  return shifted.toISOString().slice(0, 19);
}

export function fromLocalInput(text: string): number | undefined {
  const ms = new Date(text).getTime();
  return Number.isNaN(ms) ? undefined : ms;
}
