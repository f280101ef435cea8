/** The notes of a MemoryCatalog; see there. */
import type { CatalogNotes } from '../catalog/notes.ts';

export class MemoryNotes implements CatalogNotes {
  readonly #notes = new Map<string, string>();

  list(prefix: string): Promise<ReadonlyMap<string, string>> {
    return Promise.resolve(new Map([...this.#notes].filter(([name]) => name.startsWith(prefix))));
  }

  set(name: string, value: string): Promise<void> {
    this.#notes.set(name, value);
    return Promise.resolve();
  }

  claim(name: string, value: string): Promise<string> {
    const there = this.#notes.get(name) ?? value;
    this.#notes.set(name, there);
    return Promise.resolve(there);
  }

  remove(name: string): Promise<void> {
    this.#notes.delete(name);
    return Promise.resolve();
  }
}
