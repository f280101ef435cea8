import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Runs a program and hands over its output line by line. What it writes to stderr is dropped. */
export async function eachLine(command: readonly string[], visit: (line: string) => void): Promise<void> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  const lines = createInterface({ input: child.stdout, crlfDelay: Infinity });
  lines.on('line', visit);
  await ended;
}
