/**
 * A scope of a server as an argument: `cpu{service_version="v411"}[1h] offset 1d`, the form that scopes have in
 * queries. Type, window and offset may be missing; the braces may not, they tell a scope from a file.
 */
import { create } from '@bufbuild/protobuf';
import { FleetflameError, liveRangeStartMs, parseSelector } from '@fleetflame/profile';
import { ScopeSchema, type Scope } from '@fleetflame/proto/query/v1/query';
import { parseDurationMs } from '../duration.ts';
import type { Range } from '../scope.ts';

/** Braces, and no path: `./a{b}.pb` is a file. */
export function isScopeArgument(argument: string): boolean {
  return argument.includes('{') && !/^\.{0,2}\//.test(argument);
}

/** Throws invalid_input (or the selector's own error) where the text is no scope. */
export function parseScopeArgument(argument: string, range: Range, defaultType: string): Scope {
  const open = argument.indexOf('{');
  const close = argument.lastIndexOf('}');
  const type = argument.slice(0, open).trim();
  // Without its end the selector itself says best what is missing.
  const selector = close < open ? argument.slice(open) : argument.slice(open, close + 1);
  parseSelector(selector);
  const rest = argument.slice(close + 1).trim();
  const parts = /^(?:\[\s*(?<window>[^\]]*?)\s*\])?\s*(?:offset\s+(?<back>-?)\s*(?<offset>\S+))?$/.exec(
    rest,
  )?.groups;
  if (parts === undefined) {
    throw new FleetflameError(
      'invalid_input',
      `"${argument}" is not a scope: expected [1h], offset 7d or the end after the selector, found "${rest}"`,
    );
  }
  const sign = parts['back'] === '-' ? -1 : 1;
  const offsetMs = parts['offset'] === undefined ? 0 : sign * parseDurationMs(parts['offset'], 'offset');
  const toMs = range.toMs - offsetMs;
  const fromMs =
    parts['window'] === undefined
      ? range.fromMs - offsetMs
      : liveRangeStartMs(toMs, parseDurationMs(parts['window'], 'the window'));
  return create(ScopeSchema, {
    fromMs: BigInt(fromMs),
    toMs: BigInt(toMs),
    selector,
    profileType: type === '' ? defaultType : type,
  });
}
