import { ElfError } from '@fleetflame/elf';
import { TABLE_LIMITS } from '../table-layout.ts';

/** Texts one behind the other. */
export class StringColumn {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  /** Offsets of the texts and of their end. */
  addAll(count: number, text: (index: number) => string): Uint32Array {
    const offsets = new Uint32Array(count + 1);
    for (let index = 0; index < count; index++) {
      offsets[index] = this.#length;
      const bytes = Buffer.from(text(index), 'utf8');
      this.#chunks.push(bytes);
      this.#length += bytes.length;
      if (this.#length > TABLE_LIMITS.stringBytes) {
        throw new ElfError(
          `names of more than ${TABLE_LIMITS.stringBytes} bytes: this binary gets no symbols`,
        );
      }
    }
    offsets[count] = this.#length;
    return offsets;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#chunks, this.#length);
  }
}
