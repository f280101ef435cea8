export const FIRST_DELAY_MS = 500;
export const MAX_DELAY_MS = 30_000;

/**
 * How long to wait before attempt n (1 is the first retry): doubled each time, of which a random half to whole is
 * taken, so that a fleet that lost its server does not come back all at once.
 */
export function backoffMs(attempt: number, random = Math.random()): number {
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.round(ceiling / 2 + (random * ceiling) / 2);
}
