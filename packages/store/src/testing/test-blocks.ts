/** Blocks whose contents say which batches are in them, and the sums that a store holds. */
import { BlockBuilder, readBlock, type Block } from '@fleetflame/profile';
import { TEST_PROFILE_TYPE } from '@fleetflame/profile/testing';
import type { Store } from '../store.ts';

/** A block of one stack, named after the batch; values 1 and 2, a second apart. */
export function batchBlock(name: string, timeMs: number, service = 'api'): Block {
  const builder = new BlockBuilder();
  const series = builder.series(TEST_PROFILE_TYPE, 10_000_000, { service_name: service });
  const frame = builder.function(builder.string(name), 0, 0, 0);
  const stack = builder.stack(0, builder.location(0, 0, 0, [frame, 0]));
  builder.add(series, stack, timeMs, 1);
  builder.add(series, stack, timeMs + 1000, 2);
  return builder.build();
}

/** What one `batchBlock` adds to the sum of its name. */
export const BATCH_SUM = 3;

/** Sum per leaf function over everything live. */
export async function sumsByFunction(store: Store): Promise<Map<string, number>> {
  const snapshot = await store.snapshot({
    fromMs: Number.MIN_SAFE_INTEGER,
    toMs: Number.MAX_SAFE_INTEGER,
  });
  const sums = new Map<string, number>();
  for (const entry of snapshot.blocks) {
    const { block } = await readBlock(store.source(entry), {});
    addSums(block, sums);
  }
  snapshot.release();
  return sums;
}

/** Sum per leaf function of one block. */
export function sumsOfBlock(block: Block): Map<string, number> {
  const sums = new Map<string, number>();
  addSums(block, sums);
  return sums;
}

function addSums({ samples, stacks, locations, functions, strings }: Block, sums: Map<string, number>): void {
  for (let row = 0; row < samples.length; row++) {
    const location = stacks.location[samples.stack[row]!]!;
    const name = strings.at(functions.name[locations.lineFunction[locations.lineStart[location]!]!]!);
    let points = 0;
    for (let at = samples.pointStart[row]!; at < samples.pointStart[row + 1]!; at++)
      points += samples.value[at]!;
    sums.set(name, (sums.get(name) ?? 0) + points);
  }
}
