/** Runs before every test file: FLEETFLAME_SEED repeats the properties of fast-check too. */
import * as fc from 'fast-check';

const seed = process.env['FLEETFLAME_SEED'];
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });
