import { CLOCK_DOUBT_MS } from './governor.ts';

/** What other clocks say of `now`. `doubt`: one of them is far away, for people. */
export interface ClockCheck {
  readonly doubt: string | undefined;
  /** One that is not this host's agrees. */
  readonly isConfirmed: boolean;
}

/**
 * What the clocks of three hosts say of each other: this one's, the catalog's (which is `now`) and the storage's.
 * `catalogAheadMs`, `storageAheadMs`: of this host's; undefined: the storage has no clock of its own.
 */
export function checkClocks(catalogAheadMs: number, storageAheadMs: number | undefined): ClockCheck {
  const others: string[] = [];
  if (Math.abs(catalogAheadMs) > CLOCK_DOUBT_MS) {
    others.push(`the catalog's clock is ${hours(catalogAheadMs)} ahead of this host's`);
  }
  if (storageAheadMs !== undefined && Math.abs(storageAheadMs - catalogAheadMs) > CLOCK_DOUBT_MS) {
    const differenceMs = storageAheadMs - catalogAheadMs;
    others.push(`object storage's clock is ${hours(differenceMs)} ahead of the one that is believed`);
  }
  return {
    doubt: others.length === 0 ? undefined : others.join(', '),
    isConfirmed: others.length === 0 && (storageAheadMs !== undefined || catalogAheadMs !== 0),
  };
}

function hours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} h`;
}
