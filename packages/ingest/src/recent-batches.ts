import { sameContent } from '@fleetflame/store';

/** The last batches this process saw committed, oldest forgotten first. The catalog knows all of them. */
export class RecentBatches {
  readonly #limit: number;
  /** Content by key. */
  readonly #contents = new Map<string, string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(key: string): boolean {
    return this.#contents.has(key);
  }

  /** `new`: it is not known here. */
  find(key: string, content: string): 'repeat' | 'conflict' | 'new' {
    const known = this.#contents.get(key);
    if (known === undefined) return 'new';
    return sameContent(known, content) ? 'repeat' : 'conflict';
  }

  add(key: string, content: string): void {
    this.#contents.set(key, content);
    if (this.#contents.size <= this.#limit) return;
    for (const oldest of this.#contents.keys()) {
      this.#contents.delete(oldest);
      break;
    }
  }
}
