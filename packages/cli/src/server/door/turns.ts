/**
 * One RPC begins in each turn of the event loop. A hundred requests that arrive together would otherwise be parsed,
 * decoded and looked up one after another before the loop looks at its sockets again, and /healthz would wait for all of them;
 * so it waits for one.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #next = 0;
  #isRunning = false;

  /** Resolves when it is the caller's turn, in the order of calls. */
  async take(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#isRunning) return;
      this.#isRunning = true;
      setImmediate(this.#turn);
    });
  }

  readonly #turn = (): void => {
    this.#waiting[this.#next++]?.();
    if (this.#next < this.#waiting.length) {
      setImmediate(this.#turn);
      return;
    }
    this.#waiting.length = 0;
    this.#next = 0;
    this.#isRunning = false;
  };
}
