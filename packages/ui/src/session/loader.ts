import { failureOf, type Failure } from '../api/failure.ts';
import { Signal } from './signal.ts';

/**
 * One answer that is asked for again and again. A new question ends the one before it; the last
 * answer stays until the next one is there, so a refresh never shows a hole, and a failure never
 * takes away what is known.
 *
 *   empty ──▶ loading ──▶ ready ◀──▶ refreshing
 *                └──▶ failed ◀───────────┘   (with or without an old value)
 */
export interface Loaded<T> {
  readonly value: T | undefined;
  readonly failure: Failure | undefined;
  readonly isLoading: boolean;
}

const EMPTY = { value: undefined, failure: undefined, isLoading: false } as const;

export class Loader<T> {
  readonly state = new Signal<Loaded<T>>(EMPTY);
  #key = '';
  #abort: AbortController | undefined;
  /** Ends when the last question has its answer. */
  #pending: Promise<void> = Promise.resolve();

  /**
   * `key` says what is asked; the same question is not asked twice unless the last try failed. Resolves
   * when the answer is there, also when it was asked for before.
   */
  async load(key: string, ask: (signal: AbortSignal) => Promise<T>): Promise<void> {
    if (key !== this.#key || this.state.get().failure !== undefined) this.#pending = this.#ask(key, ask);
    await this.#pending;
  }

  async #ask(key: string, ask: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#key = key;
    this.state.set({ ...this.state.get(), isLoading: true });
    try {
      const value = await ask(abort.signal);
      if (abort.signal.aborted) return;
      this.state.set({ value, failure: undefined, isLoading: false });
    } catch (error) {
      if (abort.signal.aborted) return;
      this.state.set({ value: this.state.get().value, failure: failureOf(error), isLoading: false });
    }
  }

  /** Forgets the question, not the answer: the next load asks again. */
  expire(): void {
    this.#key = '';
  }

  clear(): void {
    this.#abort?.abort();
    this.#key = '';
    this.state.set(EMPTY);
  }
}
