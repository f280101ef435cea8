/** Above this, insertion sort's quadratic cost shows. */
const INSERTION_SORT_MAX = 24;

/**
 * Sorts the points from `start` to `end` by time, in place, and sums those of equal time.
 * Returns the new end.
 */
export function sortPoints(time: Uint32Array, value: Float64Array, start: number, end: number): number {
  if (end - start <= INSERTION_SORT_MAX) insertionSort(time, value, start, end);
  else sortByPermutation(time, value, start, end);
  let last = start;
  for (let point = start + 1; point < end; point++) {
    if (time[point] === time[last]) {
      value[last]! += value[point]!;
    } else {
      last++;
      time[last] = time[point]!;
      value[last] = value[point]!;
    }
  }
  return last + 1;
}

function insertionSort(time: Uint32Array, value: Float64Array, start: number, end: number): void {
  for (let i = start + 1; i < end; i++) {
    const t = time[i]!;
    const v = value[i]!;
    let at = i;
    for (; at > start && time[at - 1]! > t; at--) {
      time[at] = time[at - 1]!;
      value[at] = value[at - 1]!;
    }
    time[at] = t;
    value[at] = v;
  }
}

function sortByPermutation(time: Uint32Array, value: Float64Array, start: number, end: number): void {
  const times = time.slice(start, end);
  const values = value.slice(start, end);
  // One float64 holds both time (32 bits) and position (21 bits): the native sort needs no comparator.
  if (times.length <= 1 << 21) {
    const keys = new Float64Array(times.length);
    for (let i = 0; i < keys.length; i++) keys[i] = times[i]! * (1 << 21) + i;
    keys.sort();
    for (let i = 0; i < keys.length; i++) place(i, keys[i]! % (1 << 21));
  } else {
    const order = Uint32Array.from(times, (_, i) => i).sort((a, b) => times[a]! - times[b]! || a - b);
    for (let i = 0; i < order.length; i++) place(i, order[i]!);
  }

  function place(to: number, from: number): void {
    time[start + to] = times[from]!;
    value[start + to] = values[from]!;
  }
}
