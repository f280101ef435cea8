import { scaled, testSeed } from '@fleetflame/testing';
import { describe, expect, it } from 'vitest';
import { runIsolated } from './isolated.ts';
import { createSchedule, describeSchedule } from './schedule.ts';

const SEED = testSeed();
const SCHEDULES = scaled(2, 100);
const SHAPE = { lengthMs: scaled(10_000, 20_000), longestMs: scaled(4000, 30_000) };

describe(`random faults (FLEETFLAME_SEED=${SEED})`, () => {
  for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
    it(`keeps every sum through the faults of seed ${seed}`, async () => {
      const { problems, acked, answers, cells } = await runIsolated(seed, SHAPE);
      expect(problems, describeSchedule(createSchedule(seed, SHAPE))).toEqual([]);
      for (const count of [acked, answers, cells]) expect(count).toBeGreaterThan(0);
    }, 600_000);
  }
});
