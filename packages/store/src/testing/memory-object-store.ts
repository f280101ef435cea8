/** Objects in memory, for simulations of many histories: the contract of ObjectStore without its disk. */
import { FleetflameError } from '@fleetflame/profile';
import type { ObjectStat, ObjectStore } from '../objects/object-store.ts';

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

export class MemoryObjectStore implements ObjectStore {
  readonly #objects = new Map<string, StoredObject>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    const there = this.#objects.get(key);
    if (there !== undefined && Buffer.compare(there.bytes, bytes) !== 0) {
      return Promise.reject(new FleetflameError('invalid_input', `${key} is there with other bytes (I4)`));
    }
    if (there === undefined) this.#objects.set(key, { bytes: bytes.slice(), modifiedMs: this.#now() });
    return Promise.resolve();
  }

  async get(key: string): Promise<Uint8Array> {
    return Promise.resolve(this.#find(key).bytes);
  }

  async range(key: string, offset: number, length: number): Promise<Uint8Array> {
    return Promise.resolve(this.#find(key).bytes.subarray(offset, offset + length));
  }

  async size(key: string): Promise<number> {
    return Promise.resolve(this.#find(key).bytes.length);
  }

  async stat(key: string): Promise<ObjectStat> {
    const { bytes, modifiedMs } = this.#find(key);
    return Promise.resolve({ sizeBytes: bytes.length, modifiedMs });
  }

  delete(key: string): Promise<void> {
    this.#objects.delete(key);
    return Promise.resolve();
  }

  list(prefix: string, limit = Infinity): Promise<string[]> {
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    return Promise.resolve(limit < keys.length ? keys.slice(0, limit) : keys);
  }

  clockAheadMs(): undefined {
    // It has the test's.
  }

  close(): void {
    // Nothing is held.
  }

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  #find(key: string): StoredObject {
    const found = this.#objects.get(key);
    if (found === undefined) throw new FleetflameError('not_found', `there is no object ${key}`);
    return found;
  }
}
