import type { AnswerFormat } from './engine.ts';

/**
 * Where the answer to a call goes as bytes, ready to be sent: a large one is written by the thread that made it, and
 * who answers is not held up. The handler then returns an empty message in its place.
 */
export class AnswerSlot {
  readonly format: AnswerFormat;
  #bytes: Uint8Array | undefined;

  constructor(format: AnswerFormat) {
    this.format = format;
  }

  /** The whole message; undefined: the handler's own is the answer. */
  get bytes(): Uint8Array | undefined {
    return this.#bytes;
  }

  fill(bytes: Uint8Array): void {
    this.#bytes = bytes;
  }
}
