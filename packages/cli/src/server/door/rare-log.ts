import type { Logger } from 'pino';

/** Lines of one kind within a minute; the rest is counted, and told with the next one. */
const LINES = 10;
const MINUTE_MS = 60_000;

/** A log that strangers cannot fill: of each kind of line some a minute, then how many more there were. */
export class RareLog {
  readonly #log: Logger;
  readonly #kinds = new Map<string, { sinceMs: number; written: number; left: number }>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `kind` is one of ours, never text of a request. */
  write(level: 'error' | 'warn' | 'info', kind: string, fields: object, now = Date.now()): void {
    const known = this.#kinds.get(kind) ?? { sinceMs: now, written: 0, left: 0 };
    this.#kinds.set(kind, known);
    if (now - known.sinceMs >= MINUTE_MS) Object.assign(known, { sinceMs: now, written: 0 });
    if (known.written >= LINES) {
      known.left++;
      return;
    }
    known.written++;
    this.#log[level]({ ...fields, ...(known.left > 0 ? { notLogged: known.left } : {}) }, kind);
    known.left = 0;
  }
}
