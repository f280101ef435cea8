import type { ObjectStat, ObjectStore } from '../objects/object-store.ts';
import type { StoreHealth } from './store-health.ts';

/** An object store whose failures and successes are noted. */
export class WatchedObjects implements ObjectStore {
  readonly #objects: ObjectStore;
  readonly #health: Pick<StoreHealth, 'watch'>;

  constructor(objects: ObjectStore, health: Pick<StoreHealth, 'watch'>) {
    this.#objects = objects;
    this.#health = health;
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#health.watch('put', () => this.#objects.put(key, bytes));
  }

  get(key: string): Promise<Uint8Array> {
    return this.#health.watch('get', () => this.#objects.get(key));
  }

  range(key: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#health.watch('get', () => this.#objects.range(key, offset, length));
  }

  size(key: string): Promise<number> {
    return this.#health.watch('get', () => this.#objects.size(key));
  }

  stat(key: string): Promise<ObjectStat> {
    return this.#health.watch('get', () => this.#objects.stat(key));
  }

  /** Says nothing of writing: a full disk deletes. */
  delete(key: string): Promise<void> {
    return this.#objects.delete(key);
  }

  list(prefix: string, limit?: number): Promise<string[]> {
    return this.#health.watch('get', () => this.#objects.list(prefix, limit));
  }

  clockAheadMs(): number | undefined {
    return this.#objects.clockAheadMs();
  }

  close(): void {
    this.#objects.close();
  }
}
