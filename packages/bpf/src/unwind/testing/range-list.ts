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
}
