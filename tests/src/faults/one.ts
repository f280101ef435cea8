/** One schedule in the network of this process; isolated.ts starts it and is told how it ended. */
import type { IsolatedResult } from './isolated.ts';
import { describeOutcome, runSchedule } from './run-schedule.ts';
import { createSchedule } from './schedule.ts';

// Processes of a cluster outlive us when we are killed: it ends by itself, in a minute or two.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

const [seed = 0, lengthMs = 0, longestMs = 0] = process.argv.slice(2).map(Number);
let result: IsolatedResult;
try {
  const outcome = await runSchedule(createSchedule(seed, { lengthMs, longestMs }));
  result = {
    text: describeOutcome(outcome),
    problems: outcome.problems,
    cells: outcome.sums.reduce((sum, { cells }) => sum + cells, 0),
    acked: outcome.write.ledger.batches,
    answers: outcome.reads.answers,
  };
} catch (error) {
  const problems = [error instanceof Error ? error.message : String(error)];
  result = { text: '', problems, cells: 0, acked: 0, answers: 0 };
}
// Connections whose other ends are gone would keep it.
process.send?.(result, undefined, undefined, () => process.exit(0));
