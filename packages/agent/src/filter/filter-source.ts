import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { type FilterRule, MAX_FILTER_RULES } from '@fleetflame/bpf';
import { FleetflameError } from '@fleetflame/profile';
import type { Logger } from 'pino';
import { parseFilterFile } from './parse-filter-file.ts';
import { parseFilterRule } from './parse-filter-rule.ts';

/** How often the file is looked at for changes: one stat, about 5 µs. */
const LOOK_EVERY_MS = 1000;
/** 256 rules of 256 bytes. */
const MAX_FILE_BYTES = 64 << 10;

export interface FilterOptions {
  /** Rules such as `exe:/usr/bin/*`, as parseFilterRule reads them. */
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  /** More rules, see parseFilterFile; looked at for changes every second. */
  readonly file?: string | undefined;
}

/** For /status and metrics. */
export interface FilterStatus {
  /** As a filter file has them. */
  readonly rules: readonly string[];
  readonly file: string;
  /** Times that rules were read. */
  readonly loads: number;
  /** Times that the file could not be read or understood, and the rules before it stayed in force. */
  readonly failures: number;
  /** Why the file's present text is not in force, "" when it is. */
  readonly problem: string;
}

/** The rules in force: those of flags and those of a file, which may change at any time. */
export class FilterSource {
  readonly #options: FilterOptions;
  readonly #log: Logger;
  readonly #flags: readonly FilterRule[];
  #rules: readonly FilterRule[];
  #seen = '';
  #lookedAtMs = 0;
  #loads = 0;
  #failures = 0;
  #problem = '';

  /** @throws FleetflameError invalid_input: a rule that is none, or a file that cannot be read. */
  constructor(options: FilterOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#flags = [
      ...(options.only ?? []).map((text) => parseFilterRule('only', text, '--only')),
      ...(options.skip ?? []).map((text) => parseFilterRule('skip', text, '--skip')),
    ];
    this.#rules = this.#load();
  }

  get rules(): readonly FilterRule[] {
    return this.#rules;
  }

  status(): FilterStatus {
    return {
      rules: this.#rules.map(({ action, kind, pattern }) => `${action} ${kind}:${pattern}`),
      file: this.#options.file ?? '',
      loads: this.#loads,
      failures: this.#failures,
      problem: this.#problem,
    };
  }

  /** Looks at the file when it is time or `now`. True when rules or status are other than before. */
  look(nowMs: number, now = false): boolean {
    const { file } = this.#options;
    if (file === undefined) return false;
    if (!now && Math.abs(nowMs - this.#lookedAtMs) < LOOK_EVERY_MS) return false;
    this.#lookedAtMs = nowMs;
    if (!now && stampOf(file) === this.#seen) return false;
    try {
      this.#rules = this.#load();
      this.#log.info({ file, rules: this.#rules.length }, 'the filter was read again');
    } catch (error) {
      if (!(error instanceof FleetflameError)) throw error;
      this.#failures++;
      this.#problem = error.message;
      this.#log.error({ file }, `the filter stays as it was: ${error.message}`);
    }
    return true;
  }

  #load(): readonly FilterRule[] {
    const { file } = this.#options;
    let rules = this.#flags;
    if (file !== undefined) {
      // Before reading: a change meanwhile is another stamp.
      this.#seen = stampOf(file);
      rules = [...rules, ...parseFilterFile(read(file), file)];
    }
    if (rules.length > MAX_FILTER_RULES) {
      throw new FleetflameError(
        'invalid_input',
        `The filter has ${rules.length} rules, and ${MAX_FILTER_RULES} are possible: a glob may do for several.`,
        { field: '--filter-file' },
      );
    }
    this.#loads++;
    this.#problem = '';
    return rules;
  }
}

/** Other when the file is: one that was renamed over it has another inode. "" when it cannot be seen. */
function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs}`;
  } catch {
    // Reading it says why.
    return '';
  }
}

function read(path: string): string {
  const fail = (what: string, cause?: unknown): FleetflameError =>
    new FleetflameError('invalid_input', `--filter-file: ${path} ${what}.`, {
      field: '--filter-file',
      cause,
    });
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    throw fail(`cannot be opened (${cause instanceof Error ? cause.message : String(cause)})`, cause);
  }
  try {
    if (!fstatSync(fd).isFile()) throw fail('is no file');
    const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
    const length = readSync(fd, buffer);
    if (length > MAX_FILE_BYTES) throw fail(`is larger than ${MAX_FILE_BYTES >> 10} KiB`);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}
