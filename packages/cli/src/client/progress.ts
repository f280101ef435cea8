import { showProgress } from './output.ts';

/** Often enough to see that it goes on. */
const EVERY_MS = 200;

/** One line on standard error that says how far long work is; nothing where nobody looks. */
export class Progress {
  #shownMs = 0;
  #shown = false;

  show(text: string): void {
    const nowMs = Date.now();
    if (!process.stderr.isTTY || nowMs - this.#shownMs < EVERY_MS) return;
    this.#shownMs = nowMs;
    this.#shown = true;
    showProgress(text);
  }

  clear(): void {
    if (this.#shown) showProgress('');
    this.#shown = false;
  }
}
