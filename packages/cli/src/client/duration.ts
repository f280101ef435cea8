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

/** "1h30m", "5m", "2d", "12.5s": what parseDurationMs reads, but for parts of a second. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  let rest = ms;
  let out = '';
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
  ] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) out += `${count}${unit}`;
    rest -= count * size;
  }
  return rest > 0 ? `${out}${rest / 1000}s` : out;
}

/** Unix milliseconds of an RFC 3339 time, of Unix seconds or milliseconds, or of "now". */
export function parseTimeMs(text: string, option: string, nowMs: number): number {
  if (text === 'now') return nowMs;
  if (/^\d{9,11}$/.test(text)) return Number(text) * 1000;
  if (/^\d{12,14}$/.test(text)) return Number(text);
  const refuse = (what: string): never => {
    throw new FleetflameError(
      'invalid_input',
      `${option}: "${text}" ${what}; write RFC 3339 (2026-11-22T10:00:00Z), Unix seconds, or now`,
      { field: option },
    );
  };
  const parts = RFC_3339.exec(text)?.groups ?? refuse('is not a time');
  const number = (name: string): number => Number(parts[name] ?? 0);
  const [year, month, day] = [number('year'), number('month'), number('day')];
  // Date takes 30 February for 2 March; day 0 of the next month is the last of this one.
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (month < 1 || month > 12 || day < 1 || day > days) refuse('is not a time: there is no such day');
  if (number('hour') > 23 || number('minute') > 59 || number('zoneHour') > 23 || number('zoneMinute') > 59)
    refuse('is not a time: there is no such hour and minute');
  if (number('second') > 59) refuse('is not a time: there is no such second (leap seconds are not counted)');
  const ms = Date.parse(text.replace(' ', 'T').replace('t', 'T').replace('z', 'Z'));
  if (Number.isNaN(ms)) refuse('is not a time');
  // 0 would be read as "not said" by the server.
  if (ms <= 0) refuse('is before everything that can be stored, which begins in 1970');
  return ms;
}

/** Without a time: midnight UTC. Without a zone: local time. */
const RFC_3339 =
  /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})(?:[Tt ](?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:\.\d+)?)?(?:[Zz]|[+-](?<zoneHour>\d{2}):(?<zoneMinute>\d{2}))?)?$/;
