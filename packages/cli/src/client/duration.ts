import { FleetflameError } from '@fleetflame/profile';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/**
 * Milliseconds of a Prometheus duration such as 90s, 5m or 1h30m.
 * Throws FleetflameError invalid_input that names `option`.
 */
export function parseDurationMs(text: string, option: string): number {
  const parts = /^(?:(\d+)(?:ms|[smhdwy]))+$/.test(text) ? text.matchAll(/(\d+)(ms|[smhdwy])/g) : [];
  let total = 0;
  for (const [, count, unit] of parts) total += Number(count) * (UNIT_MS[unit ?? ''] ?? 0);
  if (!Number.isSafeInteger(total) || total <= 0) {
    throw new FleetflameError(
      'invalid_input',
      `${option}: "${text}" is not a duration; write for example 30s, 5m, 1h30m or 7d`,
      { field: option },
    );
  }
  return total;
}

/** Unix milliseconds of an RFC 3339 time, of Unix seconds or milliseconds, or of "now". */
export function parseTimeMs(text: string, option: string, nowMs: number): number {
  if (text === 'now') return nowMs;
  if (/^\d{9,11}$/.test(text)) return Number(text) * 1000;
  if (/^\d{12,14}$/.test(text)) return Number(text);
  const ms = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text)
    ? Date.parse(text.replace(' ', 'T'))
    : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new FleetflameError(
      'invalid_input',
      `${option}: "${text}" is not a time; write RFC 3339 (2026-11-22T10:00:00Z), Unix seconds, or now`,
      { field: option },
    );
  }
  return ms;
}
