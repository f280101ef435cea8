import { writeFile } from 'node:fs/promises';
/**
 * The one way to a terminal: what names, files and answers of servers contain is shown, not done. Tables escape each cell
 * besides (formatTable), so that a name cannot end its line.
 */
import { FleetflameError, visibleJson, visibleLines, visibleText } from '@fleetflame/profile';
import { messageOf } from './message.ts';

export function printJson(value: unknown): void {
  process.stdout.write(`${visibleJson(JSON.stringify(value, undefined, 2))}\n`);
}

export function printLine(line: string): void {
  process.stdout.write(`${visibleLines(line)}\n`);
}

export function printText(text: string): void {
  process.stdout.write(visibleLines(text));
}

/** What people should know but scripts should not have to parse. */
export function printWarnings(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`note: ${visibleText(line)}\n`);
}

/** May have lines of its own. */
export function printError(message: string): void {
  process.stderr.write(`error: ${visibleLines(message)}\n`);
}

/** A line that is written over and over where somebody looks; '' ends it. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${visibleText(text)}`);
}

/** What is written: to files as it is, to standard output as what it is. */
export type OutputKind = 'text' | 'json' | 'binary';

/**
 * Writes to `path`, or to standard output where there is none. Text is escaped there also when it is no terminal: what
 * `| less` and `| head` show is the same, and `-o` gives the bytes as they are.
 */
export async function writeOutput(
  bytes: Uint8Array | string,
  path: string | undefined,
  kind: OutputKind,
): Promise<void> {
  if (path === undefined) {
    const text = (): string => (typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes));
    if (kind === 'text') process.stdout.write(visibleLines(text()));
    else process.stdout.write(kind === 'json' ? visibleJson(text()) : bytes);
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
