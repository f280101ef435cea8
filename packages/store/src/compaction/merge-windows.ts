/**
 * The compactor's use of merge: blocks in, one block per window out. A block that lies in several
 * windows is cut at their edges first, so that outputs are aligned and a query's edge cuts few of them.
 */
import { mergeBlocks, type Block } from '@fleetflame/profile';
import { windowAt, type Window } from './levels.ts';
import { sliceBlock } from './slice-block.ts';

export interface WindowBlock {
  readonly window: Window;
  readonly block: Block;
}

export function mergeIntoWindows(blocks: readonly Block[], nowMs: number): WindowBlock[] {
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
        if (slice.samples.length > 0 || slice.losses.size > 0) put(window, slice);
      }
      fromMs = window.endMs;
      if (fromMs >= block.timeEndMs) break;
    }
  }
  return [...parts.values()]
    .toSorted((a, b) => a.window.startMs - b.window.startMs)
    .map((part) => ({ window: part.window, block: mergeBlocks(part.blocks) }));
}
