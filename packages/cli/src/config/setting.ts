import { FleetflameError } from '@fleetflame/profile';
import { parseBytes } from '../client/bytes.ts';
import { parseDurationMs } from '../client/duration.ts';

export type Role = 'up' | 'agent' | 'ingest' | 'query' | 'compactor' | 'symbolizer';

/** What a setting's text must be, and what it becomes: ms of a duration, bytes of a size, the number of a count or share. */
export type SettingKind =
  | { readonly type: 'text' }
  /** Texts: a flag that is given several times, a sequence in a file, lines of a variable. */
  | { readonly type: 'list' }
  | { readonly type: 'choice'; readonly of: readonly string[] }
  | { readonly type: 'duration' }
  /** A duration that may be none at all. */
  | { readonly type: 'wait' }
  | { readonly type: 'count'; readonly min: number; readonly max: number }
  /** Bytes, from 0. */
  | { readonly type: 'size'; readonly max: number }
  /** A number above 0 that need not be whole. */
  | { readonly type: 'number' }
  | { readonly type: 'switch' };

export interface Setting {
  readonly kind: SettingKind;
  /** Roles that use it; the others accept it, since one file serves all. */
  readonly roles: readonly Role[];
  /** As commander wants it, such as `--objects <url>`, or `--only <rule...>` for a list; a switch that is on by default has `--no-…`. */
  readonly flag?: string;
  readonly help: string;
  /** Text as a person would write it; undefined: nothing, or what the role works out. */
  readonly default?: string;
  /** Never shown. `url`: only the password in it. */
  readonly secret?: 'all' | 'url';
}

export type SettingValue = string | number | boolean | readonly string[];

/** Throws FleetflameError invalid_input that begins with `name`: the flag, the variable, or file, line and key. */
export function parseSetting(kind: SettingKind, text: string, name: string): SettingValue {
  switch (kind.type) {
    case 'text':
      return text === '' ? fail(name, 'it is empty') : text;
    case 'list':
      return splitList(text);
    case 'choice':
      return kind.of.includes(text) ? text : fail(name, `"${text}" is none of ${kind.of.join(', ')}`);
    case 'duration':
      return parseDurationMs(text, name);
    case 'wait':
      return /^0(ms|s|m|h)?$/.test(text) ? 0 : parseDurationMs(text, name);
    case 'count': {
      const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      const fits = count >= kind.min && count <= kind.max;
      return fits ? count : fail(name, `"${text}" is not a whole number from ${kind.min} to ${kind.max}`);
    }
    case 'size':
      return parseBytes(text, name, kind.max);
    case 'number': {
      const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
      return number > 0 ? number : fail(name, `"${text}" is not a number above 0`);
    }
    default:
      if (text === 'true') return true;
      return text === 'false' ? false : fail(name, `"${text}" is neither true nor false`);
  }
}

function fail(name: string, problem: string): never {
  throw invalid(name, problem);
}

/** The texts of a list; none of them has a line break. */
export function splitList(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

export function invalid(name: string, problem: string): FleetflameError {
  return new FleetflameError('invalid_input', `${name}: ${problem}`, { field: name });
}

/** objects.pathStyle ─▶ FLEETFLAME_OBJECTS_PATH_STYLE */
export function variableOf(key: string): string {
  const words = key.replaceAll(/([a-z])([A-Z])/g, '$1_$2').replaceAll('.', '_');
  return `FLEETFLAME_${words.toUpperCase()}`;
}
