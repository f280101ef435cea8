/**
 * Ids of blocks: twelve hex digits of the time they were written, then sixteen random ones. They sort
 * by time, and two writers never choose the same one.
 */
import { randomBytes } from 'node:crypto';

const TIME_DIGITS = 12;

/** Every block object lies under it; the sweeper looks nowhere else. */
export const BLOCK_PREFIX = 'blocks/';

export function newBlockId(nowMs: number): string {
  const time = Math.trunc(nowMs).toString(16).padStart(TIME_DIGITS, '0');
  return `${time}-${randomBytes(8).toString('hex')}`;
}

export function blockKey(id: string): string {
  return `${BLOCK_PREFIX}${id}`;
}

/** When the block was written, Unix ms. */
export function blockCreatedMs(id: string): number {
  return Number.parseInt(id.slice(0, TIME_DIGITS), 16);
}
