/** A process that fails at once is started again after this long, doubled up to the second. */
const FIRST_MS = 1000;
const LAST_MS = 60_000;
/** One that ran for this long starts over at the first. */
const STABLE_MS = 60_000;

/** How long to wait before a process that ended is started again, and how often that was. */
export class RestartPause {
  #nextMs = FIRST_MS;
  #startedAt = performance.now();
  #restarts = 0;

  get restarts(): number {
    return this.#restarts;
  }

  started(): void {
    this.#startedAt = performance.now();
  }

  /** Milliseconds; to be called once for each end. */
  ended(): number {
    if (performance.now() - this.#startedAt > STABLE_MS) this.#nextMs = FIRST_MS;
    const pauseMs = this.#nextMs;
    this.#nextMs = Math.min(LAST_MS, pauseMs * 2);
    this.#restarts++;
    return pauseMs;
  }
}
