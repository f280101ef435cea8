import { RE2JS, RE2JSException } from 're2js';
import { FleetflameError } from '../errors.ts';
import { SELECTOR_LIMITS } from './limits.ts';

export const MATCHER_OPS = ['=', '!=', '=~', '!~'] as const;
export type MatcherOp = (typeof MATCHER_OPS)[number];

/** What a regular expression costs whoever compiles and applies it. */
export interface RegexCost {
  /** UTF-16 units. */
  readonly length: number;
  readonly classes: number;
  /** RE2 instructions. */
  readonly instructions: number;
}

/** Of what is compared without one. */
export const NO_COST: RegexCost = { length: 0, classes: 0, instructions: 0 };

/** One condition on one label, with the meaning that Prometheus gives it. */
export interface Matcher {
  readonly name: string;
  readonly op: MatcherOp;
  readonly value: string;
  /** Of the regular expression; NO_COST without one. */
  readonly cost: RegexCost;
  /** Whether a label value satisfies the condition. An absent label has the value "". */
  matches(value: string): boolean;
}

/**
 * Compiles a matcher. Regular expressions are RE2: linear time, matched against the whole value, and
 * `.` matches newlines, as in Prometheus 3. Throws invalid_input or limit_exceeded.
 */
export function createMatcher(name: string, op: MatcherOp, value: string): Matcher {
  if (name === '')
    throw new FleetflameError('invalid_input', 'a label name must not be empty', { field: 'name' });
  if (op === '=') return { name, op, value, cost: NO_COST, matches: (candidate) => candidate === value };
  if (op === '!=') return { name, op, value, cost: NO_COST, matches: (candidate) => candidate !== value };
  const { test, cost } = compileRegex(value);
  const matches = op === '=~' ? test : (candidate: string) => !test(candidate);
  return { name, op, value, cost, matches };
}

interface Regex {
  readonly test: (value: string) => boolean;
  readonly cost: RegexCost;
}

/** Letters that mean themselves in RE2, in or out of an alternation. */
const LITERAL_ALTERNATION = /^[^\\^$.[\](){}?*+]*$/;

/** Where a class begins; one in another counts as well. */
const CLASS = /\\[pPwWdDsS]|\[/g;

function compileRegex(pattern: string): Regex {
  // a|b|c is what dashboards generate, thousands of names long: a set answers in one step.
  if (LITERAL_ALTERNATION.test(pattern)) {
    const literals = new Set(pattern.split('|'));
    return { test: (value) => literals.has(value), cost: NO_COST };
  }
  if (pattern.length > SELECTOR_LIMITS.regexLength) {
    throw tooCostly(`has ${pattern.length} characters, more than ${SELECTOR_LIMITS.regexLength}`);
  }
  const classes = pattern.match(CLASS)?.length ?? 0;
  if (classes > SELECTOR_LIMITS.regexClasses) {
    throw tooCostly(`has ${classes} classes of characters, more than ${SELECTOR_LIMITS.regexClasses}`);
  }
  let repeats = 0;
  for (const [, low, high] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    repeats += Math.max(Number(low), Number(high ?? 0));
  }
  if (repeats * pattern.length > SELECTOR_LIMITS.regexRepeat) {
    throw tooCostly(`repeats too much: its {n} add up to ${repeats} over ${pattern.length} characters`);
  }
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (cause) {
    if (!(cause instanceof RE2JSException)) throw cause;
    const reason = cause.message.replace(/^error parsing regexp: /, '').replace('`(?s)', '`');
    throw new FleetflameError('invalid_input', `the regular expression is not valid RE2: ${reason}`, {
      field: 'value',
      cause,
    });
  }
  const instructions = regex.programSize();
  if (instructions > SELECTOR_LIMITS.regexInstructions) {
    throw tooCostly(`compiles to ${instructions} steps, more than ${SELECTOR_LIMITS.regexInstructions}`);
  }
  return { test: (value) => regex.matches(value), cost: { length: pattern.length, classes, instructions } };
}

function tooCostly(what: string): FleetflameError {
  return new FleetflameError('limit_exceeded', `the regular expression ${what}: shorten it`, {
    field: 'value',
  });
}
