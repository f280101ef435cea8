/**
 * The part of a block whose services are of one shard. Tables that its rows pointed to stay: the merge
 * that follows drops what is no longer referred to. Losses have no service: they stay with shard 0.
 */
import { selectProfiles, selectSamples, SERVICE_NAME, type Block } from '@fleetflame/profile';
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
      if (strings.at(series.labelName[at]!) === SERVICE_NAME) service = strings.at(series.labelValue[at]!);
    }
    if (shardOf(tenant, service, shards) === shard) wanted[row] = 1;
  }
  return {
    ...block,
    series: selectProfiles(block, (row) => wanted[row] === 1),
    samples: selectSamples(samples, wanted),
    losses: shard === 0 ? block.losses : new Map(),
  };
}
