import type { CacheShare } from './cache-share.ts';
import type { QueryMetrics } from './query-metrics.ts';

/** Share of a cache that one entry may take: a larger one would push out all the others. */
const LARGEST_SHARE = 1 / 4;

/** The entries used last, up to a number of bytes. Keys of immutable things only: nothing expires. */
export class ByteLru<T> {
  readonly #share: CacheShare;
  readonly #metrics: QueryMetrics;
  /** In the order of use, oldest first: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, { readonly value: T; readonly bytes: number }>();
  #bytes = 0;

  constructor(share: CacheShare, metrics: QueryMetrics) {
    this.#share = share;
    this.#metrics = metrics;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): T | undefined {
    const entry = this.peek(key);
    const result = entry === undefined ? 'miss' : 'hit';
    this.#metrics.cacheRequests.inc({ cache: this.#share.name, result });
    return entry;
  }

  /** `get` that is not counted as a request. */
  peek(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: string, value: T, bytes: number): void {
    this.#remove(key);
    if (bytes <= this.#share.maxBytes * LARGEST_SHARE) {
      this.#entries.set(key, { value, bytes });
      this.#bytes += bytes;
    }
    this.trim();
  }

  delete(key: string): void {
    this.#remove(key);
    this.#share.hold(this.#bytes);
  }

  /** Gives up the oldest entries while other threads need their part. */
  trim(): void {
    for (const oldest of this.#entries.keys()) {
      if (!this.#share.isOver(this.#bytes)) break;
      this.#remove(oldest);
    }
    this.#share.hold(this.#bytes);
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}
