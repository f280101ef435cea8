/** A schedule in a process and a network of its own: several can run side by side. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inOwnNetwork } from '../support/test-network.ts';
import type { ScheduleShape } from './schedule.ts';

const ONE = fileURLToPath(new URL('one.ts', import.meta.url));

export interface IsolatedResult {
  /** For people. */
  readonly text: string;
  /** Empty: all is as it should be. */
  readonly problems: readonly string[];
  /** Sums that were compared. */
  readonly cells: number;
  /** Batches. */
  readonly acked: number;
  /** Read while faults happened. */
  readonly answers: number;
}

export async function runIsolated(
  seed: number,
  { lengthMs, longestMs }: ScheduleShape,
): Promise<IsolatedResult> {
  const [program = '', ...args] = inOwnNetwork([
    process.execPath,
    ONE,
    ...[seed, lengthMs, longestMs].map(String),
  ]);
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return await new Promise((resolve, reject) => {
    let result: IsolatedResult | undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one.ts sends nothing else
    child.once('message', (message) => (result = message as IsolatedResult));
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (result === undefined) reject(new Error(`seed ${seed}: its process ended with ${signal ?? code}`));
      else resolve(result);
    });
  });
}
