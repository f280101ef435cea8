import type { SampleTable } from './block.ts';
import { GrowableF64, GrowableU32 } from './tables/growable.ts';

/**
 * The rows of those series that are marked with 1, with the points at wanted times (ms since the block's start); rows
 * without any are left out. The same table when that is all of them.
 */
export function selectSamples(
  samples: SampleTable,
  wanted: Uint8Array,
  isWanted?: (time: number) => boolean,
): SampleTable {
  const { pointStart } = samples;
  if (isWanted === undefined && samples.series.every((series) => wanted[series] === 1)) return samples;
  const rows = new GrowableU32();
  const starts = new GrowableU32();
  const times = new GrowableU32();
  const values = new GrowableF64();
  const totals = new GrowableF64();
  for (let row = 0; row < samples.length; row++) {
    if (wanted[samples.series[row]!] === 0) continue;
    const begin = times.length;
    let total = isWanted === undefined ? samples.total[row]! : 0;
    for (let at = pointStart[row]!; at < pointStart[row + 1]!; at++) {
      if (isWanted !== undefined) {
        if (!isWanted(samples.time[at]!)) continue;
        total += samples.value[at]!;
      }
      times.push(samples.time[at]!);
      values.push(samples.value[at]!);
    }
    if (isWanted !== undefined && times.length === begin) continue;
    rows.push(row);
    starts.push(begin);
    totals.push(total);
  }
  starts.push(times.length);
  const kept = rows.view();
  return {
    length: kept.length,
    series: kept.map((row) => samples.series[row]!),
    stack: kept.map((row) => samples.stack[row]!),
    total: totals.view().slice(),
    pointStart: starts.view().slice(),
    time: times.view().slice(),
    value: values.view().slice(),
  };
}
