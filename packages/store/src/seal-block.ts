import { encodeBlock, withOrigin, type Block } from '@fleetflame/profile';
import { blockKey, newBlockId } from './block-id.ts';
import type { BlockEntry } from './catalog/block-entry.ts';
import { encodeOrigin, type Origin } from './origin/origin.ts';

/** A block as it will rest: its row and its bytes. */
export interface SealedBlock {
  readonly entry: BlockEntry;
  readonly bytes: Uint8Array;
}

/**
 * Compacted blocks are kept for as long as there is retention, so all but the smallest buffers are
 * compressed; below this a zstd frame is no smaller than its content.
 */
const COMPACTED_RAW_BELOW_BYTES = 64;

/** Where a block belongs, which its contents do not say. */
export type BlockPlace = Pick<
  BlockEntry,
  'level' | 'tenant' | 'shard' | 'shards' | 'resolutionMs' | 'rolledUp' | 'droppedLabels'
>;

/** A block as its object's bytes, and what its row says of it. */
export interface EncodedBlock {
  readonly bytes: Uint8Array;
  readonly timeStartMs: number;
  readonly timeEndMs: number;
  readonly rows: number;
  readonly points: number;
}

/** `from`: what it was made of, which its footer keeps. */
export function sealBlock(
  block: Block,
  place: BlockPlace,
  nowMs: number,
  from: Omit<Origin, 'place'>,
): SealedBlock {
  const bytes = encodeBlock(block, place.level > 0 ? { rawBelowBytes: COMPACTED_RAW_BELOW_BYTES } : {});
  const { timeStartMs, timeEndMs, samples } = block;
  const encoded = { bytes, timeStartMs, timeEndMs, rows: samples.length, points: samples.time.length };
  return sealEncoded(encoded, place, nowMs, from);
}

export function sealEncoded(
  block: EncodedBlock,
  place: BlockPlace,
  nowMs: number,
  from: Omit<Origin, 'place'>,
): SealedBlock {
  const { rows, points } = block;
  const bytes = withOrigin(block.bytes, encodeOrigin({ place, ...from }));
  const id = newBlockId(nowMs);
  const entry = {
    id,
    key: blockKey(id),
    ...place,
    timeMinMs: block.timeStartMs,
    // The catalog counts inclusively; a block without samples still needs a time.
    timeMaxMs: Math.max(block.timeStartMs, block.timeEndMs - 1),
    sizeBytes: bytes.length,
    rows,
    points,
  };
  return { entry, bytes };
}
