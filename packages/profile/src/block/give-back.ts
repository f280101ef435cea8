/**
 * Arrays lie outside of the JavaScript heap, and the collector knows of them by their size only: what one push and one
 * segment leave behind made it mark the whole heap every hundred pushes. What is known to be of no use any more is
 * given back at once instead, and the allocator hands the same warm memory out again.
 */
import type { Block } from './block.ts';

/** What is smaller costs more to give back than to leave; the smallest have no memory of their own at all. */
const WORTH_BYTES = 1024;

/**
 * Frees the memory of an array that nobody reads again: it is empty afterwards, and so is whatever shares its memory.
 * A piece of a larger one stays, such as one of Node's pool for small buffers, which is less than half of it.
 */
export function giveBack(array: ArrayBufferView): void {
  const { byteLength } = array;
  if (byteLength < WORTH_BYTES) return;
  const { buffer } = array;
  if (buffer instanceof ArrayBuffer && byteLength * 2 > buffer.byteLength) buffer.transfer(0);
}

/** The same for all arrays of a block, which must be its own. */
export function giveBackBlock({
  strings,
  series,
  samples,
  stacks,
  locations,
  functions,
  mappings,
}: Block): void {
  giveBack(strings.bytes);
  giveBack(strings.starts);
  for (const table of [series, samples, stacks, locations, functions, mappings]) {
    for (const column of Object.values(table)) if (ArrayBuffer.isView(column)) giveBack(column);
  }
}
