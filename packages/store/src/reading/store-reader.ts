/**
 * The blocks of a store as a thread beside its owner reads them: with connections of its own to the same objects, and
 * telling the owner what happened, who has the metrics, the log and the store's health.
 *
 *   thread of the owner   Store ◀── noteReader(event) ──┐
 *   another thread        StoreReader ── ReaderEvent ───┘
 */
import type { RangeSource } from '@fleetflame/profile';
import type { BlockEntry } from '../catalog/block-entry.ts';
import { watchOperation, type StoreOperation } from '../health/store-health.ts';
import { WatchedObjects } from '../health/watched-objects.ts';
import type { ObjectEvent } from '../objects/object-events.ts';
import type { ObjectStore, ObjectStoreConfig } from '../objects/object-store.ts';
import { openObjectStore } from '../objects/open-object-store.ts';
import { S3_LIMITS } from '../objects/s3/s3-limits.ts';
import { readChecked } from './read-checked.ts';

/** What a reader did, as plain data. */
export type ReaderEvent =
  | { readonly kind: 'object'; readonly event: ObjectEvent }
  | { readonly kind: 'succeeded'; readonly operation: StoreOperation }
  | { readonly kind: 'failed'; readonly operation: StoreOperation; readonly error: Error }
  /** Parts of a block did not check out. */
  | { readonly kind: 'reread'; readonly block: string; readonly error: Error };

/** Successes in a row are told so often at most, ms: they say the same. */
const SUCCESS_EVERY_MS = 1000;

/** The objects as each of so many threads opens them: requests in flight are limited for all of them together. */
export function forThreads(config: ObjectStoreConfig, threads: number): ObjectStoreConfig {
  if (config.engine === 'directory') return config;
  const running = Math.ceil((config.limits?.running ?? S3_LIMITS.running) / threads);
  return { ...config, limits: { ...config.limits, running } };
}

export class StoreReader {
  readonly objects: ObjectStore;
  readonly #tell: (event: ReaderEvent) => void;
  readonly #toldMs = new Map<StoreOperation, number>();

  private constructor(open: (reader: StoreReader) => ObjectStore, tell: (event: ReaderEvent) => void) {
    this.#tell = tell;
    this.objects = open(this);
  }

  static async open(config: ObjectStoreConfig, tell: (event: ReaderEvent) => void): Promise<StoreReader> {
    const objects = await openObjectStore(config, (event) => tell({ kind: 'object', event }));
    return new StoreReader(
      (reader) =>
        new WatchedObjects(objects, {
          watch: (operation, run) => watchOperation(run, (failure) => reader.#note(operation, failure)),
        }),
      tell,
    );
  }

  /** As Store.read. */
  async read<T>(entry: BlockEntry, read: (source: RangeSource) => Promise<T>): Promise<T> {
    return await readChecked(this.objects, entry, read, (error) =>
      this.#tell({ kind: 'reread', block: entry.id, error }),
    );
  }

  #note(operation: StoreOperation, failure: unknown): void {
    if (failure !== undefined) {
      this.#toldMs.delete(operation);
      const error = failure instanceof Error ? failure : new Error('it failed', { cause: failure });
      this.#tell({ kind: 'failed', operation, error });
      return;
    }
    const nowMs = performance.now();
    if (nowMs - (this.#toldMs.get(operation) ?? Number.NEGATIVE_INFINITY) < SUCCESS_EVERY_MS) return;
    this.#toldMs.set(operation, nowMs);
    this.#tell({ kind: 'succeeded', operation });
  }
}
