/** Address ranges with a text each, in order: what either side says of a binary. Equal texts share one string. */
export class RangeList {
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly texts: string[] = [];
  readonly #shared = new Map<string, string>();

  get length(): number {
    return this.starts.length;
  }

  add(start: number, end: number, text: string): void {
    if (end <= start) return;
    let shared = this.#shared.get(text);
    if (shared === undefined) {
      shared = text;
      this.#shared.set(text, text);
    }
    this.starts.push(start);
    this.ends.push(end);
    this.texts.push(shared);
  }

  /** What is said of one address; ranges must have been added in order. */
  at(address: number): string | undefined {
    let [low, high] = [0, this.starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.starts[middle] ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    return (this.ends[low - 1] ?? 0) > address ? this.texts[low - 1] : undefined;
  }
}
