/**
 * What a gate may ask of one function: `total > 5 % and total > 0.5 cores`.
 *
 *     condition = bound , { "and" , bound } ;
 *     bound     = ( "self" | "total" | "new" | "gone" ) , ( ">" | ">=" ) , number , unit ;
 *     unit      = "%" | "points" | "cores" | unit of the profile's family (seconds, ms, bytes, count, …) ;
 */
import { FleetflameError } from '../../errors.ts';

export const MEASURES = ['self', 'total', 'new', 'gone'] as const;
export type Measure = (typeof MEASURES)[number];

export interface Bound {
  readonly measure: Measure;
  /** Whether the amount itself counts. */
  readonly inclusive: boolean;
  readonly amount: number;
  /** As written. */
  readonly unit: string;
}

export interface Condition {
  readonly source: string;
  /** All must hold of the same function; at least one. */
  readonly bounds: readonly Bound[];
}

/** UTF-16 units of a condition, and bounds of it: more is no condition that a person wrote. */
const MAX_LENGTH = 1000;
const MAX_BOUNDS = 16;

/** Throws invalid_input, with the column and what was expected there. */
export function parseCondition(source: string): Condition {
  if (source.length > MAX_LENGTH) throw wrong(source, MAX_LENGTH, `at most ${MAX_LENGTH} characters`);
  const bounds: Bound[] = [];
  let at = 0;
  const take = (pattern: RegExp, expected: string): string => {
    const space = /\s*/y;
    space.lastIndex = at;
    at += space.exec(source)?.[0].length ?? 0;
    const sticky = new RegExp(pattern.source, 'uy');
    sticky.lastIndex = at;
    const found = sticky.exec(source)?.[0];
    if (found === undefined) throw wrong(source, at, expected);
    at += found.length;
    return found;
  };
  do {
    if (bounds.length === MAX_BOUNDS) throw wrong(source, at, `at most ${MAX_BOUNDS} bounds`);
    const word = take(/(?:self|total|new|gone)\b/, 'expected self, total, new or gone');
    const measure = MEASURES.find((one) => one === word) ?? 'self';
    const inclusive = take(/>=?/, 'expected > or >=') === '>=';
    const amount = Number(take(/\d+(?:\.\d+)?(?:e[+-]?\d+)?/, 'expected a number'));
    const unit = take(/%|[\p{L}\u00b5]+/u, 'expected a unit: %, points, cores, seconds, bytes, …');
    bounds.push({ measure, inclusive, amount, unit });
  } while (source.slice(at).trim() !== '' && take(/and\b/, 'expected "and" or the end') !== '');
  return { source, bounds };
}

function wrong(source: string, at: number, expected: string): FleetflameError {
  return new FleetflameError(
    'invalid_input',
    `--fail-if, column ${at + 1}: ${expected}\n  ${source.slice(0, MAX_LENGTH)}\n  ${' '.repeat(at)}^\n  for example: total > 5 % and total > 0.5 cores`,
    { field: 'fail_if' },
  );
}
