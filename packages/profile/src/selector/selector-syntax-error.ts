import { FleetflameError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** Units of the line that are shown on each side of the caret. */
const CONTEXT = 60;

/**
 * A selector that cannot be used, with the place. The message is one sentence, then the line and a caret:
 *
 *   selector, column 15: expected a quoted string after "=", found api: write "api"
 *     {service_name=api}
 *                   ^^^
 */
export class SelectorSyntaxError extends FleetflameError {
  /** The sentence alone, without the place, for user interfaces that underline the place themselves. */
  readonly reason: string;
  /** UTF-16 offset into the text, and how many units to underline (0 at the end of the text). */
  readonly position: number;
  readonly length: number;
  /** From 1; the column counts code points, as an editor does. */
  readonly line: number;
  readonly column: number;

  constructor(
    reason: string,
    place: { readonly text: string; readonly position: number; readonly length: number },
    options: { readonly code?: ErrorCode; readonly cause?: unknown } = {},
  ) {
    const { text, position, length } = place;
    const before = text.slice(0, position);
    const line = before.split('\n').length;
    const lineStart = before.lastIndexOf('\n') + 1;
    const newline = text.indexOf('\n', position);
    const lineEnd = newline === -1 ? text.length : newline;
    const column = codePoints(text.slice(lineStart, position)) + 1;
    const where = line === 1 ? `column ${column}` : `line ${line}, column ${column}`;

    const from = Math.max(lineStart, position - CONTEXT);
    const to = Math.min(lineEnd, position + CONTEXT);
    // Tabs would shift the caret: both lines show them as one space.
    const shown = text.slice(from, to).replaceAll(/\s/g, ' ');
    const pad = ' '.repeat(codePoints(text.slice(from, position)));
    const carets = '^'.repeat(Math.max(1, codePoints(text.slice(position, Math.min(to, position + length)))));
    super(options.code ?? 'invalid_input', `selector, ${where}: ${reason}\n  ${shown}\n  ${pad}${carets}`, {
      field: 'selector',
      cause: options.cause,
    });
    this.reason = reason;
    this.position = position;
    this.length = length;
    this.line = line;
    this.column = column;
  }
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
