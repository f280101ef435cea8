import { describe, expect, it } from 'vitest';
import { runSchedule } from './run-schedule.ts';
import { createSchedule, describeSchedule } from './schedule.ts';

const SEED = Number(process.env['FLEETFLAME_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** run.ts runs hundreds of them, longer ones. */
const SCHEDULES = 2;
const SHAPE = { lengthMs: 10_000, longestMs: 4000 };

describe(`random faults (FLEETFLAME_SEED=${SEED})`, () => {
  for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
    it(`keeps every sum through the faults of seed ${seed}`, async () => {
      const schedule = createSchedule(seed, SHAPE);
      const { problems, write, reads, sums } = await runSchedule(schedule);
      expect(problems, describeSchedule(schedule)).toEqual([]);
      expect(write.ledger.batches).toBeGreaterThan(0);
      expect(reads.answers).toBeGreaterThan(0);
      for (const { cells } of sums) expect(cells).toBeGreaterThan(0);
    }, 600_000);
  }
});
