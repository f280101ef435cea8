import { randomBytes } from 'node:crypto';

/** 48 bits of milliseconds, base 36, last until the year 10889. */
const TIME_DIGITS = 9;

/** A new id for every start: the time, so that spool files sort by age, and 96 random bits. */
export function newAgentId(nowMs: number): string {
  const time = Math.max(0, Math.floor(nowMs)).toString(36).padStart(TIME_DIGITS, '0');
  return `${time}-${randomBytes(12).toString('hex')}`;
}
