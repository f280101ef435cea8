/**
 * What debuginfod servers do not have, kept in the storage so that neither a restart nor another server asks again:
 *
 * ```
 * symbol-misses/<build id>/<until, Unix ms in 12 hex digits>-<digest of the servers' names>
 * ```
 * With other servers the misses of the old ones do not count.
 */
import { createHash } from 'node:crypto';
import type { SymbolStorage } from '../symbol-storage.ts';

const PREFIX = 'symbol-misses/';

export class Misses {
  readonly #storage: SymbolStorage;
  readonly #servers: string;
  readonly #now: () => number;

  constructor(storage: SymbolStorage, servers: readonly string[], now: () => number) {
    this.#storage = storage;
    this.#servers = createHash('sha256').update(servers.join('\n')).digest('hex').slice(0, 16);
    this.#now = now;
  }

  /** Until when it is not asked for, Unix ms; undefined: it may be asked for. */
  async until(buildId: string): Promise<number | undefined> {
    for (const key of await this.#storage.list(`${PREFIX}${buildId}/`)) {
      const { untilMs, servers } = parse(key);
      if (servers === this.#servers && untilMs > this.#now()) return untilMs;
    }
    return undefined;
  }

  async add(buildId: string, untilMs: number): Promise<void> {
    const until = Math.floor(untilMs).toString(16).padStart(12, '0');
    await this.#storage.put(
      `${PREFIX}${buildId}/${until}-${this.#servers}`,
      new TextEncoder().encode('miss\n'),
    );
  }

  /** Deletes those that are over. */
  async sweep(): Promise<void> {
    for (const key of await this.#storage.list(PREFIX)) {
      if (!(parse(key).untilMs > this.#now())) await this.#storage.delete(key);
    }
  }
}

function parse(key: string): { readonly untilMs: number; readonly servers: string } {
  const [, until = '', servers = ''] = /\/([0-9a-f]{12})-([0-9a-f]{16})$/.exec(key) ?? [];
  return { untilMs: Number.parseInt(until, 16), servers };
}
