/**
 * Some tests (random input, kills, faults) find more the longer they run. They do a little of it with every test run,
 * and all that one has time for in the long task: `./fleetflame test long`, which sets FLEETFLAME_LONG and runs
 * every test file that calls `scaled`. Nothing else needs to be registered:
 *
 *     fc.assert(property, { numRuns: scaled(20_000, 1_000_000) });
 *     it('survives kills', async () => { … scaled(4, 50) … }, scaled(240_000));
 *
 * FLEETFLAME_LONG=1 is the long form, 2 does twice as much, 0.1 a tenth (never less than the short form).
 */
const LONG = Number(process.env['FLEETFLAME_LONG'] ?? 0);
/** Of a count that says nothing about its long form: two decimal digits more. */
const LONGER = 100;

export const isLong: boolean = LONG > 0;

/** So many times, kills or milliseconds: `short` with every run, `long` in the long task. */
export function scaled(short: number, long: number = short * LONGER): number {
  return isLong ? Math.max(short, Math.round(long * LONG)) : short;
}
