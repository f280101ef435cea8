/**
 * The compactor's use of merge: blocks in, one block per window and shard out. A block that lies in
 * several windows is cut at their edges first, so that outputs are aligned and a query's edge cuts few
 * of them.
 */
import { mergeBlocks, type Block } from '@fleetflame/profile';
import { windowAt, type Window } from './levels.ts';
import { shardBlock } from './shard-block.ts';
import { sliceBlock } from './slice-block.ts';

export interface MergeTarget {
  readonly nowMs: number;
  readonly tenant: string;
  readonly shards: number;
  /** The shard that all blocks are of already; undefined: they have to be divided. */
  readonly only: number | undefined;
}

export interface WindowBlock {
  readonly window: Window;
  readonly shard: number;
  readonly block: Block;
}

export function mergeIntoWindows(blocks: readonly Block[], target: MergeTarget): WindowBlock[] {
  const { nowMs } = target;
  const parts = new Map<number, { window: Window; blocks: Block[] }>();
  const put = (window: Window, block: Block): void => {
    const part = parts.get(window.startMs);
    if (part === undefined) parts.set(window.startMs, { window, blocks: [block] });
    else part.blocks.push(block);
  };
  for (const block of blocks) {
    let fromMs = block.timeStartMs;
    for (;;) {
      const window = windowAt(fromMs, nowMs);
      if (fromMs === block.timeStartMs && block.timeEndMs <= window.endMs) put(window, block);
      else {
        const slice = sliceBlock(block, fromMs, window.endMs);
        if (holdsAnything(slice)) put(window, slice);
      }
      fromMs = window.endMs;
      if (fromMs >= block.timeEndMs) break;
    }
  }
  return [...parts.values()]
    .toSorted((a, b) => a.window.startMs - b.window.startMs)
    .flatMap((part) => divide(part.window, part.blocks, target));
}

function holdsAnything({ samples, series, losses }: Block): boolean {
  return samples.length > 0 || series.profileTime.length > 0 || losses.size > 0;
}

function divide(
  window: Window,
  blocks: readonly Block[],
  { tenant, shards, only }: MergeTarget,
): WindowBlock[] {
  if (only !== undefined || shards === 1) {
    return [{ window, shard: only ?? 0, block: mergeBlocks(blocks) }];
  }
  const outputs: WindowBlock[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const parts = blocks.map((block) => shardBlock(block, { tenant, shard, shards })).filter(holdsAnything);
    if (parts.length > 0) outputs.push({ window, shard, block: mergeBlocks(parts) });
  }
  return outputs;
}
