/**
 * The order in which locations are stored: by mapping, then by address. Neighbours are then close, and
 * differences of addresses small. Order carries no meaning, so it may be
 * coarse, and is where addresses of one mapping span more than 2^52 / 2^k; it is the same each time.
 *
 * One native sort of float64 per mapping, without a comparator: key = distance * 2^k + place, with 2^k places.
 */
import type { LocationTable } from '../block.ts';

const TWO_32 = 0x1_0000_0000;

/** Rows of `locations` in the order to store them. */
export function orderLocations(locations: LocationTable, mappingCount: number): Uint32Array {
  const { length, address } = locations;
  // What points nowhere comes last; whoever reads it refuses it.
  const mapping = locations.mapping.map((row) => Math.min(row, mappingCount));
  const starts = new Uint32Array(mappingCount + 2);
  for (let row = 0; row < length; row++) starts[mapping[row]! + 1]!++;
  for (let m = 0; m <= mappingCount; m++) starts[m + 1]! += starts[m]!;
  const next = starts.slice();
  const order = new Uint32Array(length);
  for (let row = 0; row < length; row++) order[next[mapping[row]!]!++] = row;
  const halves = new Uint32Array(address.buffer, address.byteOffset, 2 * length);
  for (let m = 0; m <= mappingCount; m++) sortRange(order, starts[m]!, starts[m + 1]!, halves);
  return order;
}

/** Sorts order[start, end) by address; `halves`: low and high word of each address. */
function sortRange(order: Uint32Array, start: number, end: number, halves: Uint32Array): void {
  const count = end - start;
  if (count < 2) return;
  let lowest = TWO_32;
  let highest = 0;
  for (let i = start; i < end; i++) {
    const high = halves[2 * order[i]! + 1]!;
    lowest = Math.min(lowest, high);
    highest = Math.max(highest, high);
  }
  const places = 2 ** Math.ceil(Math.log2(count));
  const span = (highest - lowest + 1) * TWO_32;
  // One bit to spare: the largest distances round up.
  const unit = Math.max(1, (span * places) / 2 ** 52);
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const row = order[start + i]!;
    const distance = (halves[2 * row + 1]! - lowest) * TWO_32 + halves[2 * row]!;
    keys[i] = Math.floor(distance / unit) * places + i;
  }
  keys.sort();
  const before = order.slice(start, end);
  for (let i = 0; i < count; i++) order[start + i] = before[keys[i]! % places]!;
}
