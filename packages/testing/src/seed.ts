import { randomInt } from 'node:crypto';

const MAX_SEED = 2 ** 31;

/** The seed of FLEETFLAME_SEED, which repeats a run, or a random one. Who takes it prints it when it fails. */
export function testSeed(): number {
  const wanted = process.env['FLEETFLAME_SEED'];
  return wanted === undefined ? randomInt(MAX_SEED) : Number(wanted);
}
