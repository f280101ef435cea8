/**
 * Tokens of the selector language. The scanner never fails: what it cannot read is an `unknown`
 * token, so that the parser can say what it expected there and completion can go on behind it.
 */
export type TokenKind = '{' | '}' | ',' | 'operator' | 'name' | 'string' | 'unclosed' | 'unknown' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** UTF-16 offsets, `to` exclusive. Strings include their quotes. */
  readonly from: number;
  readonly to: number;
}

const SPACE = /[ \t\r\n]*(?:#[^\n]*(?:\n[ \t\r\n]*|$))*/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
/** Wider than the language (== and = ~ are none of it), so that the error covers what was meant. */
const OPERATOR = /=~|!~|!=|==|=|!/y;
const QUOTED = /"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|`[^`]*`/y;
/** Up to where a value that forgot its quote, or a name that needs quotes, goes on. */
const UNKNOWN = /[^\s{},=!~"'`#]+/y;

/** The token at or after `at`, behind white space and # comments. */
export function scanToken(text: string, at: number): Token {
  const from = match(SPACE, text, at);
  const char = text[from];
  if (char === undefined) return { kind: 'end', from, to: from };
  if (char === '{' || char === '}' || char === ',') return { kind: char, from, to: from + 1 };
  if (char === '"' || char === "'" || char === '`') {
    const to = match(QUOTED, text, from);
    if (to > from) return { kind: 'string', from, to };
    const newline = char === '`' ? -1 : text.indexOf('\n', from);
    return { kind: 'unclosed', from, to: newline === -1 ? text.length : newline };
  }
  const operator = match(OPERATOR, text, from);
  if (operator > from) return { kind: 'operator', from, to: operator };
  const name = match(NAME, text, from);
  const unknown = match(UNKNOWN, text, from);
  if (name > from && name >= unknown) return { kind: 'name', from, to: name };
  return { kind: 'unknown', from, to: Math.max(unknown, from + 1) };
}

/** Whether the offset lies in a # comment or in the white space before a token; used by completion. */
export function inComment(text: string, gapFrom: number, at: number): boolean {
  const gap = text.slice(gapFrom, at);
  const hash = gap.lastIndexOf('#');
  return hash !== -1 && !gap.slice(hash).includes('\n');
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
