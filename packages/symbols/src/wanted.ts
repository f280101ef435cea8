/** Which binaries the server wants, asking one host at a time for each. */
import type { SymbolStore } from './symbol-store.ts';
import type { Uploads } from './uploads.ts';
import { FAILURE_RETRY_MS, LEASE_MS } from './limits.ts';

/** Leases remembered; the oldest are dropped, which costs at most an upload twice. */
const MAX_LEASES = 100_000;

export class Wanted {
  readonly #store: SymbolStore;
  readonly #uploads: Uploads;
  readonly #now: () => number;
  /** Build id → when its lease ends. In order of being given. */
  readonly #leases = new Map<string, number>();

  constructor(store: SymbolStore, uploads: Uploads, now: () => number) {
    this.#store = store;
    this.#uploads = uploads;
    this.#now = now;
  }

  /** Those of the ids that the caller should upload now. */
  async choose(buildIds: readonly string[]): Promise<string[]> {
    const wanted: string[] = [];
    for (const buildId of new Set(buildIds)) {
      if (!(await this.#isMissing(buildId))) continue;
      if (this.#uploads.isAlive(buildId) || (this.#leases.get(buildId) ?? 0) > this.#now()) continue;
      this.#lease(buildId);
      wanted.push(buildId);
    }
    return wanted;
  }

  async #isMissing(buildId: string): Promise<boolean> {
    const record = await this.#store.record(buildId);
    if (record === undefined) return true;
    return record.table === '' && this.#now() - record.uploadedMs >= FAILURE_RETRY_MS;
  }

  #lease(buildId: string): void {
    this.#leases.delete(buildId);
    this.#leases.set(buildId, this.#now() + LEASE_MS);
    for (const [oldest, end] of this.#leases) {
      if (this.#leases.size <= MAX_LEASES && end > this.#now()) break;
      this.#leases.delete(oldest);
    }
  }
}
