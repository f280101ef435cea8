import { create } from '@bufbuild/protobuf';
import { FleetflameError, liveRangeStartMs, parseSelector } from '@fleetflame/profile';
import { type Scope, ScopeSchema } from '@fleetflame/proto/query/v1/query';
import { type Command, Option } from 'commander';
import { parseDurationMs, parseTimeMs } from './duration.ts';

export interface RangeOptions {
  readonly last: string;
  readonly from?: string;
  readonly to?: string;
}

/** Unix milliseconds; the end is exclusive. */
export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Options that every reading verb shares. */
export interface ScopeOptions extends RangeOptions {
  readonly selector: string;
  readonly type: string;
  readonly server: string;
  readonly json?: boolean;
}

export const DEFAULT_SERVER = 'http://127.0.0.1:7171';

export function serverOption(): Option {
  return new Option('--server <url>', 'where a fleetflame server answers')
    .env('FLEETFLAME_SERVER')
    .default(DEFAULT_SERVER);
}

export function addRangeOptions(command: Command, defaultLast: string): Command {
  return command
    .option(
      '--last <duration>',
      'the time range that ends now; from 6 h on it begins with a multiple of 5 minutes, from 2 d on with an hour',
      defaultLast,
    )
    .option('--from <time>', 'start of the range instead: RFC 3339, Unix seconds, or now')
    .option('--to <time>', 'end of the range, with --from (default: now)');
}

export function addScopeOptions(command: Command, defaultLast: string): Command {
  return addRangeOptions(command, defaultLast)
    .option('--selector <matchers>', 'Prometheus matchers, such as {service_name="api"}', '')
    .option(
      '--type <profile type>',
      'a whole profile type, or a sample type such as cpu (default: CPU, else what is looked at first)',
      '',
    )
    .addOption(serverOption());
}

/** Checks the options before anything is asked of the server. */
export function scopeOf(options: ScopeOptions, command: Command, nowMs = Date.now()): Scope {
  parseSelector(options.selector);
  const { fromMs, toMs } = rangeOf(options, command, nowMs);
  return create(ScopeSchema, {
    fromMs: BigInt(fromMs),
    toMs: BigInt(toMs),
    selector: options.selector,
    profileType: options.type,
  });
}

export function rangeOf(options: RangeOptions, command: Command, nowMs = Date.now()): Range {
  if (options.to !== undefined && options.from === undefined) {
    throw new FleetflameError('invalid_input', '--to needs --from: give both ends, or --last');
  }
  if (options.from !== undefined && command.getOptionValueSource('last') === 'cli') {
    throw new FleetflameError('invalid_input', '--last and --from exclude each other: give one of them');
  }
  const toMs = options.to === undefined ? nowMs : parseTimeMs(options.to, '--to', nowMs);
  const fromMs =
    options.from === undefined
      ? liveRangeStartMs(toMs, parseDurationMs(options.last, '--last'))
      : parseTimeMs(options.from, '--from', nowMs);
  if (fromMs >= toMs) {
    throw new FleetflameError('invalid_input', `--from (${iso(fromMs)}) is not before --to (${iso(toMs)})`);
  }
  return { fromMs, toMs };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
