import type { SampleTable } from '@fleetflame/profile';

/** The rows of those series that are marked with 1; the same table when that is all of them. */
export function selectSamples(samples: SampleTable, wanted: Uint8Array): SampleTable {
  const { pointStart } = samples;
  let rows = 0;
  let points = 0;
  for (let row = 0; row < samples.length; row++) {
    if (wanted[samples.series[row]!] === 0) continue;
    rows++;
    points += pointStart[row + 1]! - pointStart[row]!;
  }
  if (rows === samples.length) return samples;
  const out = {
    length: rows,
    series: new Uint32Array(rows),
    stack: new Uint32Array(rows),
    total: new Float64Array(rows),
    pointStart: new Uint32Array(rows + 1),
    time: new Uint32Array(points),
    value: new Float64Array(points),
  };
  let outRow = 0;
  let outPoint = 0;
  for (let row = 0; row < samples.length; row++) {
    if (wanted[samples.series[row]!] === 0) continue;
    const begin = pointStart[row]!;
    const end = pointStart[row + 1]!;
    out.series[outRow] = samples.series[row]!;
    out.stack[outRow] = samples.stack[row]!;
    out.total[outRow] = samples.total[row]!;
    out.time.set(samples.time.subarray(begin, end), outPoint);
    out.value.set(samples.value.subarray(begin, end), outPoint);
    outPoint += end - begin;
    outRow++;
    out.pointStart[outRow] = outPoint;
  }
  return out;
}
