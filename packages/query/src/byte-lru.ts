import type { CacheName, QueryMetrics } from './query-metrics.ts';

/** Share of a cache that one entry may take: a larger one would push out all the others. */
const LARGEST_SHARE = 1 / 4;

/** The entries used last, up to a number of bytes. Keys of immutable things only: nothing expires. */
export class ByteLru<T> {
  readonly #name: CacheName;
  readonly #maxBytes: number;
  readonly #metrics: QueryMetrics;
  /** In the order of use, oldest first: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, { readonly value: T; readonly bytes: number }>();
  #bytes = 0;

  constructor(name: CacheName, maxBytes: number, metrics: QueryMetrics) {
    this.#name = name;
    this.#maxBytes = maxBytes;
    this.#metrics = metrics;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): T | undefined {
    const entry = this.peek(key);
    this.#metrics.cacheRequests.inc({ cache: this.#name, result: entry === undefined ? 'miss' : 'hit' });
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
    this.delete(key);
    if (bytes > this.#maxBytes * LARGEST_SHARE) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.delete(oldest);
    }
    this.#metrics.cacheBytes.set({ cache: this.#name }, this.#bytes);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    this.#metrics.cacheBytes.set({ cache: this.#name }, this.#bytes);
  }
}
