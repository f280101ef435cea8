import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const MAIN = join(ROOT, 'packages/cli/src/main.ts');

/** Starting builds nothing and takes a second or two; a busy machine may need longer. */
const START_TIMEOUT_MS = 120_000;

export interface StartedServer {
  readonly child: ChildProcess;
  readonly url: string;
  /** All that it has printed and logged. */
  readonly log: () => string;
}

/** Runs a role until it has said its URL; rejects with what it said when it ends before. */
export async function startServer(
  role: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<StartedServer> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let stdout = '';
  let stderr = '';
  const log = (): string => stdout + stderr;
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    const timeout = setTimeout(() => reject(new Error(`${role} did not start: ${log()}`)), START_TIMEOUT_MS);
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      const match = /is up: (http:\S+)/.exec(stdout);
      if (match?.[1] !== undefined) {
        clearTimeout(timeout);
        resolve(match[1]);
      }
    });
    // Closed: all that it has said is here.
    child.once('close', (code) => {
      clearTimeout(timeout);
      reject(new Error(`${role} ended with ${code}: ${log()}`));
    });
  });
  return { child, url, log };
}

/** Sends the signal and resolves with the exit code; at once when it has ended before. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.kill(signal);
  return await ended;
}
