/** How often what is underway is looked at. */
const EVERY_MS = 1000;

/** Something that may take too long: a body being received, an answer being read. */
export interface Watched {
  /** Told the time, Unix ms; ends what it watches when that has taken too long. */
  readonly look: (nowMs: number) => void;
}

/** One timer for all that is underway: a timer of its own for each would cost more than the look. */
export class Watch {
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  add(one: Watched): void {
    this.#watched.add(one);
    this.#timer ??= setInterval(() => {
      const nowMs = Date.now();
      for (const watched of this.#watched) watched.look(nowMs);
    }, EVERY_MS).unref();
  }

  delete(one: Watched): void {
    this.#watched.delete(one);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
