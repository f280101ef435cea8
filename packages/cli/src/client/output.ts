import { writeFile } from 'node:fs/promises';
import { FleetflameError } from '@fleetflame/profile';
import { messageOf } from './message.ts';

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function printText(text: string): void {
  process.stdout.write(text);
}

/** What people should know but scripts should not have to parse. */
export function printWarnings(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`note: ${line}\n`);
}

/** Writes to `path`, or to standard output where there is none. */
export async function writeOutput(bytes: Uint8Array | string, path: string | undefined): Promise<void> {
  if (path === undefined) {
    process.stdout.write(bytes);
    return;
  }
  try {
    await writeFile(path, bytes);
  } catch (cause) {
    throw new FleetflameError('invalid_input', `cannot write ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
