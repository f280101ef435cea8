import { FleetflameError } from '../errors.ts';
import { SELECTOR_LIMITS } from './limits.ts';
import { createMatcher, MATCHER_OPS } from './matcher.ts';
import type { Matcher, MatcherOp } from './matcher.ts';
import { quoteValue, unquote } from './quote.ts';
import { scanToken } from './scan.ts';
import type { Token } from './scan.ts';
import { SelectorSyntaxError } from './selector-syntax-error.ts';
import type { Selector } from './selector.ts';

/**
 * Reads a Prometheus selector, such as {service_name="api",host_name=~"web-.*"}. Label names that the
 * classic rules forbid are quoted: {"http.method"!="GET"}. Empty text and {} select everything.
 *
 *   selector = [ "{" [ matcher { "," matcher } [ "," ] ] "}" ]
 *   matcher  = ( name | string ) ( "=" | "!=" | "=~" | "!~" ) string
 *   string   = "…" | '…' with escapes, `…` without
 *
 * Throws SelectorSyntaxError (invalid_input, or limit_exceeded for SELECTOR_LIMITS).
 */
export function parseSelector(text: string): Selector {
  if (text.length > SELECTOR_LIMITS.textLength) {
    throw limit(
      text,
      SELECTOR_LIMITS.textLength,
      text.length,
      `longer than ${SELECTOR_LIMITS.textLength} characters`,
    );
  }
  if (!text.isWellFormed()) {
    const position = text.search(/\p{Surrogate}/u);
    throw new SelectorSyntaxError('half of a surrogate pair is not a character', {
      text,
      position,
      length: 1,
    });
  }
  let token = scanToken(text, 0);
  if (token.kind === 'end') return { matchers: [], source: text };
  if (token.kind !== '{') throw expected(text, token, '"{"', 'write {service_name="…"}');

  const matchers: Matcher[] = [];
  const cost = { length: 0, classes: 0, instructions: 0 };
  token = scanToken(text, token.to);
  while (token.kind !== '}') {
    if (matchers.length === SELECTOR_LIMITS.matchers) {
      throw limit(text, token.from, token.to, `more than ${SELECTOR_LIMITS.matchers} matchers`);
    }
    const nameToken = token;
    const opToken = scanToken(text, nameToken.to);
    const valueToken = scanToken(text, opToken.to);
    const matcher = createMatcherAt(
      text,
      readName(text, nameToken, matchers.length > 0),
      readOp(text, nameToken, opToken),
      readValue(text, opToken, valueToken),
      valueToken,
    );
    matchers.push(matcher);
    cost.length += matcher.cost.length;
    cost.classes += matcher.cost.classes;
    cost.instructions += matcher.cost.instructions;
    const isTooLarge =
      cost.length > SELECTOR_LIMITS.regexTotal ||
      cost.classes > SELECTOR_LIMITS.regexClasses ||
      cost.instructions > SELECTOR_LIMITS.regexInstructions;
    if (isTooLarge) {
      throw limit(text, valueToken.from, valueToken.to, 'its regular expressions are too large together');
    }
    token = scanToken(text, valueToken.to);
    if (token.kind === ',') token = scanToken(text, token.to);
    else if (token.kind !== '}') throw expected(text, token, '"," or "}"');
  }
  const rest = scanToken(text, token.to);
  if (rest.kind !== 'end') throw expected(text, rest, 'nothing after "}"');
  return { matchers, source: text };
}

function readName(text: string, token: Token, mayEnd: boolean): string {
  if (token.kind === 'name') return text.slice(token.from, token.to);
  if (token.kind === 'string') {
    const name = readString(text, token);
    if (name === '') throw new SelectorSyntaxError('a label name must not be empty', place(text, token));
    return name;
  }
  const advice =
    token.kind === 'unknown' ? `quote it: ${quoteValue(text.slice(token.from, token.to))}` : undefined;
  throw expected(text, token, mayEnd ? 'a label name or "}"' : 'a label name', advice);
}

function readOp(text: string, name: Token, token: Token): MatcherOp {
  const written = text.slice(token.from, token.to);
  const op = MATCHER_OPS.find((candidate) => candidate === written);
  if (token.kind === 'operator' && op !== undefined) return op;
  const advice = written === '==' ? 'write a single =' : undefined;
  throw expected(text, token, `=, !=, =~ or !~ after ${text.slice(name.from, name.to)}`, advice);
}

function readValue(text: string, op: Token, token: Token): string {
  if (token.kind === 'string') return readString(text, token);
  const written = text.slice(token.from, token.to);
  const advice =
    token.kind === 'name' || token.kind === 'unknown' ? `write ${quoteValue(written)}` : undefined;
  throw expected(text, token, `a quoted string after ${text.slice(op.from, op.to)}`, advice);
}

function readString(text: string, token: Token): string {
  const result = unquote(text.slice(token.from, token.to));
  if (result.ok) return result.value;
  throw new SelectorSyntaxError(result.reason, {
    text,
    position: token.from + result.from,
    length: result.to - result.from,
  });
}

function createMatcherAt(text: string, name: string, op: MatcherOp, value: string, token: Token): Matcher {
  try {
    return createMatcher(name, op, value);
  } catch (cause) {
    if (!(cause instanceof FleetflameError)) throw cause;
    throw new SelectorSyntaxError(cause.message, place(text, token), { code: cause.code, cause });
  }
}

function expected(text: string, token: Token, what: string, advice?: string): SelectorSyntaxError {
  const written = text.slice(token.from, token.to);
  if (token.kind === 'unclosed') {
    const reason = `the string that starts here has no closing ${written[0] ?? ''}`;
    return new SelectorSyntaxError(reason, place(text, token));
  }
  const shown = written.length > 40 ? `${written.slice(0, 40).toWellFormed()}…` : written;
  const found = token.kind === 'end' ? 'the end' : shown;
  const reason = `expected ${what}, found ${found}${advice === undefined ? '' : `: ${advice}`}`;
  return new SelectorSyntaxError(reason, place(text, token));
}

function limit(text: string, from: number, to: number, what: string): SelectorSyntaxError {
  const place = { text, position: from, length: to - from };
  return new SelectorSyntaxError(`the selector is too costly: ${what}`, place, { code: 'limit_exceeded' });
}

function place(text: string, token: Token): { text: string; position: number; length: number } {
  return { text, position: token.from, length: token.to - token.from };
}
