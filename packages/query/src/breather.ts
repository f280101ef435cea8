import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from './admission.ts';

/** The longest that a query keeps other requests waiting, where it can stop: between blocks. */
const BUSY_MS = 10;

/** Gives the event loop a turn when enough time has passed, and ends a query that nobody waits for. */
export class Breather {
  readonly #signal: AbortSignal;
  #last = performance.now();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  async breathe(): Promise<void> {
    if (performance.now() - this.#last > BUSY_MS) {
      await setImmediate();
      this.#last = performance.now();
    }
    throwIfAborted(this.#signal);
  }
}
