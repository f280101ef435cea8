/**
 * The part of a block whose services are of one shard. Tables that its rows pointed to stay: the merge
 * that follows drops what is no longer referred to. Losses have no service: they stay with shard 0.
 */
import { SERVICE_NAME, type Block, type SampleTable } from '@fleetflame/profile';
import { shardOf } from '../shard-of.ts';

export interface Shard {
  readonly tenant: string;
  readonly shard: number;
  readonly shards: number;
}

export function shardBlock(block: Block, { tenant, shard, shards }: Shard): Block {
  const { series, strings, samples } = block;
  const wanted = new Uint8Array(series.length);
  for (let row = 0; row < series.length; row++) {
    let service = '';
    for (let at = series.labelStart[row]!; at < series.labelStart[row + 1]!; at++) {
      if (strings[series.labelName[at]!] === SERVICE_NAME) service = strings[series.labelValue[at]!]!;
    }
    if (shardOf(tenant, service, shards) === shard) wanted[row] = 1;
  }
  return {
    ...block,
    samples: selectSamples(samples, wanted),
    losses: shard === 0 ? block.losses : new Map(),
  };
}

function selectSamples(samples: SampleTable, wanted: Uint8Array): SampleTable {
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
