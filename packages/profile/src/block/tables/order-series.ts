import { SERVICE_NAME } from '../block.ts';
import { compareBytes } from '../string-table.ts';
import { GrowableU32 } from './growable.ts';
import { SERIES_HEAD } from './interned-tables.ts';
import type { StringInterner } from './string-interner.ts';

/**
 * Rows that were seen, ordered by profile type, service_name, label list (name, value, name, value,
 * ...; service_name has its place in it, too), period and kind. Strings are ranked once, so that comparing two series compares integers.
 */
export function orderSeries(
  strings: StringInterner,
  data: Uint32Array,
  starts: Uint32Array,
  seen: Uint8Array,
): Uint32Array {
  const used = new GrowableU32();
  for (let row = 0; row < seen.length; row++) if (seen[row] === 1) used.push(row);
  const rows = used.view();
  const rank = rankStrings(strings, data, starts, rows);
  const serviceName = strings.find(SERVICE_NAME);
  const service = new Uint32Array(seen.length);
  for (const row of rows) service[row] = serviceOf(row);
  return rows.sort(
    (a, b) =>
      rank[data[starts[a]!]!]! - rank[data[starts[b]!]!]! ||
      rank[service[a]!]! - rank[service[b]!]! ||
      compareLabels(a, b) ||
      data[starts[a]! + 2]! - data[starts[b]! + 2]! ||
      data[starts[a]! + 1]! - data[starts[b]! + 1]! ||
      data[starts[a]! + 3]! - data[starts[b]! + 3]!,
  );

  function serviceOf(row: number): number {
    for (let at = starts[row]! + SERIES_HEAD; at < starts[row + 1]!; at += 2) {
      if (data[at] === serviceName) return data[at + 1]!;
    }
    return 0;
  }

  function compareLabels(a: number, b: number): number {
    let x = starts[a]! + SERIES_HEAD;
    let y = starts[b]! + SERIES_HEAD;
    for (; x < starts[a + 1]! && y < starts[b + 1]!; x++, y++) {
      const difference = rank[data[x]!]! - rank[data[y]!]!;
      if (difference !== 0) return difference;
    }
    return starts[a + 1]! - x - (starts[b + 1]! - y);
  }
}

function rankStrings(
  strings: StringInterner,
  data: Uint32Array,
  starts: Uint32Array,
  rows: Uint32Array,
): Uint32Array {
  const used = new Set<number>([0]);
  for (const row of rows) {
    used.add(data[starts[row]!]!);
    for (let at = starts[row]! + SERIES_HEAD; at < starts[row + 1]!; at++) used.add(data[at]!);
  }
  const rank = new Uint32Array(strings.length);
  const sorted = [...used].sort((a, b) => compareBytes(strings, a, strings, b));
  for (const [i, string] of sorted.entries()) rank[string] = i;
  return rank;
}
