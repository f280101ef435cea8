import { BlockBuilder } from '../../block/block-builder.ts';
import type { Block } from '../../block/block.ts';
import { FleetflameError } from '../../errors.ts';
import { parseProfileType } from '../../profile-type/profile-type.ts';
import { FOLDED_LIMITS } from './limits.ts';

export interface DecodeFoldedOptions {
  /** The whole profile type that the counts are of; folded text does not say. */
  readonly profileType: string;
  /** Unix milliseconds of all samples. */
  readonly timeMs: number;
  /** Sampling period; default 0, unknown. */
  readonly period?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * Reads folded stacks, the format of flamegraph.pl and its kin: outermost frame first, frames may
 * contain spaces, the last word is the count. Blank lines, and lines that begin with "# " are skipped.
 *
 *   main;read request;parse 30
 *
 * Throws invalid_input with the line, or limit_exceeded (FOLDED_LIMITS).
 */
export function decodeFolded(text: string, options: DecodeFoldedOptions): Block {
  parseProfileType(options.profileType);
  if (text.length > FOLDED_LIMITS.textLength) {
    throw tooMuch(
      'textLength',
      `the text has ${text.length} characters, more than ${FOLDED_LIMITS.textLength}`,
    );
  }
  const builder = new BlockBuilder();
  const series = builder.series(options.profileType, options.period ?? 0, options.labels ?? {});
  const locations = new Map<string, number>();
  let number = 0;
  for (let from = 0; from < text.length;) {
    const newline = text.indexOf('\n', from);
    const to = newline === -1 ? text.length : newline;
    const line = text.slice(from, to).trim();
    from = to + 1;
    number++;
    if (number > FOLDED_LIMITS.lines)
      throw tooMuch('lines', `there are more than ${FOLDED_LIMITS.lines} lines`);
    if (line === '' || /^#(?:\s|$)/.test(line)) continue;
    const { stack, value } = readLine(line, number);
    builder.add(series, internStack(builder, locations, stack, number), options.timeMs, value);
  }
  return builder.build();
}

function readLine(line: string, number: number): { stack: string; value: number } {
  const end = Math.max(line.lastIndexOf(' '), line.lastIndexOf('\t'));
  const count = line.slice(end + 1);
  if (!/^-?\d+$/.test(count)) {
    throw broken(number, `it must end with a whole number after a space, not ${quote(count)}`);
  }
  const value = Number(count);
  if (!Number.isSafeInteger(value)) throw broken(number, `${quote(count)} is larger than 2^53`);
  const stack = line.slice(0, Math.max(0, end)).trimEnd();
  if (stack === '') throw broken(number, 'there is no stack before the count');
  return { stack, value };
}

function internStack(
  builder: BlockBuilder,
  locations: Map<string, number>,
  stack: string,
  number: number,
): number {
  let row = 0;
  let depth = 0;
  for (let from = 0; from <= stack.length;) {
    const semicolon = stack.indexOf(';', from);
    const to = semicolon === -1 ? stack.length : semicolon;
    const frame = stack.slice(from, to);
    from = to + 1;
    depth++;
    if (frame.trim() === '') throw broken(number, `frame ${depth} is empty`);
    if (frame.length > FOLDED_LIMITS.frameLength) {
      throw tooMuch(
        'frameLength',
        `frame ${depth} has more than ${FOLDED_LIMITS.frameLength} characters`,
        number,
      );
    }
    if (depth > FOLDED_LIMITS.stackDepth) {
      throw tooMuch('stackDepth', `the stack has more than ${FOLDED_LIMITS.stackDepth} frames`, number);
    }
    let location = locations.get(frame);
    if (location === undefined) {
      if (!frame.isWellFormed()) throw broken(number, `frame ${depth} is not valid Unicode`);
      location = builder.location(0, 0, 0, [builder.function(builder.string(frame), 0, 0, 0), 0]);
      locations.set(frame, location);
    }
    row = builder.stack(row, location);
    if (row > FOLDED_LIMITS.stacks) {
      throw tooMuch('stacks', `there are more than ${FOLDED_LIMITS.stacks} distinct stack prefixes`, number);
    }
  }
  return row;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40).toWellFormed()}…` : text.toWellFormed());
}

function broken(line: number, what: string): FleetflameError {
  return new FleetflameError('invalid_input', `The folded stacks are not valid in line ${line}: ${what}.`, {
    field: `line ${line}`,
  });
}

function tooMuch(limit: string, what: string, line?: number): FleetflameError {
  const where = line === undefined ? '' : ` in line ${line}`;
  return new FleetflameError(
    'limit_exceeded',
    `The folded stacks are too large${where}: ${what} (limit ${limit}). Split them.`,
    line === undefined ? {} : { field: `line ${line}` },
  );
}
