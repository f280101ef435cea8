/**
 * The long task: many random fault schedules, each against a new cluster. Prints every schedule with its
 * seed; one that failed is repeated by that seed alone. See README.md.
 *
 *   ./fleetflame test faults --schedules 100 --seed 1 --parallel 2      seeds 1 to 100, two at a time
 *   ./fleetflame test faults --seed 17                                  that one again
 */
import { parseArgs } from 'node:util';
import { runIsolated, type IsolatedResult } from './isolated.ts';
import { createSchedule, describeSchedule } from './schedule.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    /** So many schedules run at a time. */
    parallel: { type: 'string', default: '1' },
    /** Faults begin within so many seconds. */
    seconds: { type: 'string', default: '20' },
    /** Seconds of the longest fault. */
    longest: { type: 'string', default: '30' },
  },
});
const shape = { lengthMs: Number(values.seconds) * 1000, longestMs: Number(values.longest) * 1000 };
const first = Number(values.seed);
const count = Number(values.schedules);
const parallel = Number(values.parallel);
if (![first, count, parallel, shape.lengthMs, shape.longestMs].every((number) => number > 0)) {
  console.error('--schedules, --seed, --parallel, --seconds and --longest are numbers above 0');
  process.exit(2);
}
const failed: number[] = [];
const kinds = new Map<string, number>();
let [done, sums, acked, next] = [0, 0, 0, first];
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stop.abort();
    console.error('stops after the schedules that run');
  });
}

async function one(seed: number): Promise<void> {
  const schedule = createSchedule(seed, shape);
  let result: IsolatedResult;
  try {
    result = await runIsolated(seed, shape);
  } catch (error) {
    const problems = [error instanceof Error ? error.message : String(error)];
    result = { text: '', problems, cells: 0, acked: 0, answers: 0 };
  }
  done++;
  sums += result.cells;
  acked += result.acked;
  for (const { fault } of schedule.steps) kinds.set(fault.kind, (kinds.get(fault.kind) ?? 0) + 1);
  if (result.problems.length > 0) failed.push(seed);
  const problems = result.problems.map((problem) => `\n  FAILED: ${problem}`).join('');
  console.log(`seed ${seed} (${done} of ${count})\n${describeSchedule(schedule)}\n${result.text}${problems}`);
}

async function many(): Promise<void> {
  while (next < first + count && !stop.signal.aborted) await one(next++);
}

await Promise.all(Array.from({ length: parallel }, many));
const byKind = [...kinds].toSorted(([, a], [, b]) => b - a).map(([kind, faults]) => `${kind} ${faults}`);
console.log(
  `${done} schedules, faults: ${byKind.join(', ')}\n` +
    `${acked} batches acked, ${sums} sums compared, ${failed.length} schedules failed: ${failed.join(', ') || 'none'}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
