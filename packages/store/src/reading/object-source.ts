import { FleetflameError, type RangeSource } from '@fleetflame/profile';
import type { ObjectStore } from '../objects/object-store.ts';

/** An object as the block reader wants it. Every read is one range read; nothing is held open. */
export class ObjectSource implements RangeSource {
  readonly size: number;
  readonly #objects: Pick<ObjectStore, 'range'>;
  readonly #key: string;

  constructor(objects: Pick<ObjectStore, 'range'>, key: string, sizeBytes: number) {
    this.#objects = objects;
    this.#key = key;
    this.size = sizeBytes;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new FleetflameError(
        'corrupt_data',
        `Object ${this.#key} has ${this.size} bytes, but a part of it says it lies at ${offset} with ${length} bytes.`,
      );
    }
    return this.#objects.range(this.#key, offset, length);
  }
}
