/** At most so many requests at once; others wait in line, up to a number and up to their deadline. */
export class RequestGate {
  readonly #running: number;
  readonly #waiting: number;
  /** In the order they came. */
  readonly #line = new Set<() => void>();
  #taken = 0;

  constructor(running: number, waiting: number) {
    this.#running = running;
    this.#waiting = waiting;
  }

  /** True when a place was free; the caller then owes a `leave`. */
  tryEnter(): boolean {
    if (this.#taken >= this.#running) return false;
    this.#taken++;
    return true;
  }

  /** `in`: the caller owes a `leave`. `full`: too many wait already. `late`: no place within `waitMs`. */
  async enter(waitMs: number): Promise<'in' | 'full' | 'late'> {
    if (this.tryEnter()) return 'in';
    if (this.#line.size >= this.#waiting) return 'full';
    return await new Promise((resolve) => {
      const called = (): void => {
        clearTimeout(timer);
        resolve('in');
      };
      const timer = setTimeout(() => {
        this.#line.delete(called);
        resolve('late');
      }, waitMs);
      this.#line.add(called);
    });
  }

  leave(): void {
    for (const next of this.#line) {
      // The place goes to whoever waits longest.
      this.#line.delete(next);
      next();
      return;
    }
    this.#taken--;
  }
}
