/**
 * The part of a block with times in [fromMs, toMs). Rows without a point in the range are dropped;
 * tables they pointed to stay, and the merge that follows drops what is no longer referred to.
 * Losses have no time: they stay with the part that holds the block's start.
 */
import { selectProfiles, type Block, type SampleTable } from '@fleetflame/profile';

export function sliceBlock(block: Block, fromMs: number, toMs: number): Block {
  const startMs = Math.max(block.timeStartMs, fromMs);
  const endMs = Math.min(block.timeEndMs, toMs);
  const first = fromMs <= block.timeStartMs && block.timeStartMs < toMs;
  return {
    ...block,
    timeStartMs: startMs,
    timeEndMs: Math.max(startMs, endMs),
    series: selectProfiles(
      block,
      (_, time) => time >= startMs - block.timeStartMs && time < endMs - block.timeStartMs,
      startMs - block.timeStartMs,
    ),
    samples: sliceSamples(block.samples, startMs - block.timeStartMs, endMs - block.timeStartMs),
    losses: first ? block.losses : new Map(),
  };
}

/** `from` and `to` in ms since the block's start; times in the result count from `from`. */
function sliceSamples(samples: SampleTable, from: number, to: number): SampleTable {
  const { time, value, pointStart } = samples;
  let rows = 0;
  let points = 0;
  for (let row = 0; row < samples.length; row++) {
    const before = points;
    for (let at = pointStart[row]!; at < pointStart[row + 1]!; at++) {
      if (time[at]! >= from && time[at]! < to) points++;
    }
    if (points > before) rows++;
  }
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
    const begin = outPoint;
    let total = 0;
    for (let at = pointStart[row]!; at < pointStart[row + 1]!; at++) {
      if (time[at]! < from || time[at]! >= to) continue;
      out.time[outPoint] = time[at]! - from;
      out.value[outPoint] = value[at]!;
      total += value[at]!;
      outPoint++;
    }
    if (outPoint === begin) continue;
    out.series[outRow] = samples.series[row]!;
    out.stack[outRow] = samples.stack[row]!;
    out.total[outRow] = total;
    outRow++;
    out.pointStart[outRow] = outPoint;
  }
  return out;
}
