import { corrupt } from '../arrow/corrupt.ts';
import type { RangeSource } from '../range-source.ts';

/** Reading this much more costs less than another request: 64 KiB is a millisecond at 64 MB/s. */
const GAP_BYTES = 64 << 10;

interface Range {
  readonly offset: number;
  readonly length: number;
}

/**
 * A source that keeps what it has read, counts bytes, and joins ranges that lie close together. It
 * lives as long as the reading of one block.
 */
export class CachingSource implements RangeSource {
  readonly size: number;
  readonly #source: RangeSource;
  readonly #kept: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  #bytesRead = 0;

  constructor(source: RangeSource) {
    this.#source = source;
    this.size = source.size;
  }

  /** What was asked of the source underneath. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** The last `length` bytes, or all when there are fewer. */
  async readTail(length: number): Promise<Uint8Array> {
    const offset = Math.max(0, this.size - length);
    return this.read(offset, this.size - offset);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw corrupt('footer', `it points to ${length} bytes at ${offset} of an object of ${this.size}`);
    }
    const kept = this.#kept.find(
      (part) => offset >= part.offset && offset + length <= part.offset + part.bytes.length,
    );
    return kept === undefined
      ? this.#read(offset, length)
      : kept.bytes.subarray(offset - kept.offset, offset - kept.offset + length);
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
    this.#kept.push({ offset, bytes });
    return bytes;
  }
}
