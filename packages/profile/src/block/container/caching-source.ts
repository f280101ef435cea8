import { corrupt } from '../arrow/corrupt.ts';
import type { RangeSource } from '../range-source.ts';

/** Reading this much more costs less than another request: 64 KiB is a millisecond at 64 MB/s. */
const GAP_BYTES = 64 << 10;

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** A source that keeps the object's tail, counts bytes, and joins ranges that lie close together. */
export class CachingSource implements RangeSource {
  readonly size: number;
  readonly #source: RangeSource;
  #tail: { readonly offset: number; readonly bytes: Uint8Array } | undefined;
  #bytesRead = 0;

  constructor(source: RangeSource) {
    this.#source = source;
    this.size = source.size;
  }

  /** What was asked of the source underneath. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Reads the last `length` bytes and keeps them: later reads inside them are free. */
  async readTail(length: number): Promise<Uint8Array> {
    const offset = Math.max(0, this.size - length);
    const bytes = await this.#read(offset, this.size - offset);
    this.#tail = { offset, bytes };
    return bytes;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw corrupt('footer', `it points to ${length} bytes at ${offset} of an object of ${this.size}`);
    }
    const tail = this.#tail;
    if (tail !== undefined && offset >= tail.offset) {
      return tail.bytes.subarray(offset - tail.offset, offset - tail.offset + length);
    }
    return this.#read(offset, length);
  }

  /** Reads many ranges, ascending by offset, with as few requests as makes sense; same order. */
  async readAll(ranges: readonly Range[]): Promise<Uint8Array[]> {
    const runs: { start: number; end: number; ranges: Range[] }[] = [];
    for (const range of ranges) {
      const run = runs.at(-1);
      const end = range.offset + range.length;
      if (run !== undefined && range.offset - run.end <= GAP_BYTES) {
        run.end = Math.max(run.end, end);
        run.ranges.push(range);
      } else {
        runs.push({ start: range.offset, end, ranges: [range] });
      }
    }
    const parts = await Promise.all(
      runs.map(async ({ start, end, ranges }) => {
        const bytes = await this.read(start, end - start);
        return ranges.map(({ offset, length }) => bytes.subarray(offset - start, offset - start + length));
      }),
    );
    return parts.flat();
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    if (length === 0) return new Uint8Array(0);
    const bytes = await this.#source.read(offset, length);
    this.#bytesRead += length;
    if (bytes.length !== length) {
      throw corrupt('object', `${length} bytes at ${offset} were asked for, ${bytes.length} came`);
    }
    return bytes;
  }
}
