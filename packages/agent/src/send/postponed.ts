/** The first wait of a batch that others go before; doubled each time. */
export const FIRST_POSTPONED_MS = 60_000;
export const MAX_POSTPONED_MS = 900_000;

/** Batches that the server cannot take at this moment: they stay in the spool, and others go first. */
export class Postponed {
  readonly #batches = new Map<string, { times: number; untilMs: number }>();

  get size(): number {
    return this.#batches.size;
  }

  add(name: string, nowMs: number): void {
    const times = this.#batches.get(name)?.times ?? 0;
    const waitMs = Math.min(MAX_POSTPONED_MS, FIRST_POSTPONED_MS * 2 ** Math.min(times, 10));
    this.#batches.set(name, { times: times + 1, untilMs: nowMs + waitMs });
  }

  isWaiting(name: string, nowMs: number): boolean {
    const untilMs = this.#batches.get(name)?.untilMs;
    return untilMs !== undefined && untilMs > nowMs;
  }

  forget(name: string): void {
    this.#batches.delete(name);
  }

  /** Ms until the first of them is due; undefined: there is none. Forgets those that are not in the spool any more. */
  nextMs(nowMs: number, isThere: (name: string) => boolean): number | undefined {
    let nextMs: number | undefined;
    for (const [name, { untilMs }] of this.#batches) {
      if (!isThere(name)) this.#batches.delete(name);
      else nextMs = Math.min(nextMs ?? Infinity, Math.max(0, untilMs - nowMs));
    }
    return nextMs;
  }
}
