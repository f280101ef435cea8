import { describe, expect, it } from 'vitest';
import { runIsolated } from './isolated.ts';
import { createSchedule, describeSchedule } from './schedule.ts';

const SEED = Number(process.env['FLEETFLAME_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** run.ts runs hundreds of them, longer ones. */
const SCHEDULES = 2;
const SHAPE = { lengthMs: 10_000, longestMs: 4000 };

describe(`random faults (FLEETFLAME_SEED=${SEED})`, () => {
  for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
    it(`keeps every sum through the faults of seed ${seed}`, async () => {
      const { problems, acked, answers, cells } = await runIsolated(seed, SHAPE);
      expect(problems, describeSchedule(createSchedule(seed, SHAPE))).toEqual([]);
      for (const count of [acked, answers, cells]) expect(count).toBeGreaterThan(0);
    }, 600_000);
  }
});
