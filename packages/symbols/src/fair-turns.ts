/**
 * One piece of work at a time, and of those who wait each in turn: who brings many waits for himself, not the others for
 * him. Work of one sender is done in the order in which it came.
 */
export class FairTurns {
  /** By sender; in the order in which senders have their turn. */
  readonly #waiting = new Map<string, (() => Promise<void>)[]>();
  #running: Promise<void> | undefined;

  async run<T>(sender: string, work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const own = this.#waiting.get(sender) ?? [];
    own.push(() => work().then(resolve, reject));
    this.#waiting.set(sender, own);
    this.#running ??= this.#runAll();
    return await promise;
  }

  /** Resolves when nothing runs or waits. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #runAll(): Promise<void> {
    for (let turn = this.#take(); turn !== undefined; turn = this.#take()) await turn();
    this.#running = undefined;
  }

  #take(): (() => Promise<void>) | undefined {
    for (const [sender, works] of this.#waiting) {
      const work = works.shift();
      this.#waiting.delete(sender);
      if (works.length > 0) this.#waiting.set(sender, works);
      if (work !== undefined) return work;
    }
    return undefined;
  }
}
