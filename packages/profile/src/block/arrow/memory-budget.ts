import { FleetflameError } from '../../errors.ts';

/** Bytes that may still be allocated while a block is decoded. Asked before every allocation. */
export class MemoryBudget {
  readonly #limit: number;
  #left: number;

  constructor(limit: number) {
    this.#limit = limit;
    this.#left = limit;
  }

  take(bytes: number, field: string): void {
    if (bytes > this.#left) {
      throw new FleetflameError(
        'limit_exceeded',
        `The block needs more than the ${this.#limit} bytes (limit inflatedBytes) that reading it may take, at ${field}.`,
        { field },
      );
    }
    this.#left -= bytes;
  }
}
