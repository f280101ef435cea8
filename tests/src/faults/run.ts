/**
 * The long task: many random fault schedules, each against a new cluster. Prints every schedule with its
 * seed; one that failed is repeated by that seed alone. See README.md.
 *
 *   node tests/src/faults/run.ts --schedules 100 --seed 1      seeds 1 to 100
 *   node tests/src/faults/run.ts --seed 17                     that one again
 */
import { parseArgs } from 'node:util';
import { describeOutcome, runSchedule } from './run-schedule.ts';
import { createSchedule, describeSchedule } from './schedule.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    /** Faults begin within so many seconds. */
    seconds: { type: 'string', default: '20' },
    /** Seconds of the longest fault. */
    longest: { type: 'string', default: '30' },
  },
});
const shape = { lengthMs: Number(values.seconds) * 1000, longestMs: Number(values.longest) * 1000 };
const first = Number(values.seed);
const count = Number(values.schedules);
if (![first, count, shape.lengthMs, shape.longestMs].every((number) => number > 0)) {
  console.error('--schedules, --seed, --seconds and --longest are numbers above 0');
  process.exit(2);
}
const failed: number[] = [];
let sums = 0;
const stop = new AbortController();
// Processes of a cluster outlive us when we are killed: the schedule that runs is finished.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stop.abort();
    console.error('stops after this schedule');
  });
}
let seed = first;
for (; seed < first + count && !stop.signal.aborted; seed++) {
  const schedule = createSchedule(seed, shape);
  console.log(`seed ${seed}\n${describeSchedule(schedule)}`);
  try {
    const outcome = await runSchedule(schedule);
    console.log(describeOutcome(outcome));
    for (const { cells } of outcome.sums) sums += cells;
    if (outcome.problems.length > 0) failed.push(seed);
    for (const problem of outcome.problems) console.log(`  FAILED: ${problem}`);
  } catch (error) {
    failed.push(seed);
    console.log(`  FAILED: ${error instanceof Error ? error.message : String(error)}`);
  }
}
console.log(
  `${seed - first} schedules, ${sums} sums compared, ${failed.length} failed: ${failed.join(', ') || 'none'}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
