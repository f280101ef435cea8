/** Which blocks are being read, so that their objects stay (I6). A block may be pinned several times. */
export class BlockPins {
  readonly #pins = new Map<string, number>();

  get size(): number {
    return this.#pins.size;
  }

  has(id: string): boolean {
    return this.#pins.has(id);
  }

  /** Returns the release, which may be called more than once. */
  pin(ids: readonly string[]): () => void {
    for (const id of ids) this.#pins.set(id, (this.#pins.get(id) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      for (const id of ids) {
        const left = (this.#pins.get(id) ?? 1) - 1;
        if (left === 0) this.#pins.delete(id);
        else this.#pins.set(id, left);
      }
    };
  }
}
