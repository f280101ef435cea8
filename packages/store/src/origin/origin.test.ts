import { bytesSource, decodeBlock, encodeBlock, withOrigin } from '@fleetflame/profile';
import { describeBlock } from '@fleetflame/profile/testing';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchBlock } from '../testing/test-blocks.ts';
import { BatchRanges } from './batch-ranges.ts';
import { encodeOrigin, readOrigin, type Origin } from './origin.ts';

const PLACE = {
  level: 3,
  tenant: 'default',
  shard: 1,
  shards: 4,
  resolutionMs: 300_000,
  rolledUp: true,
  droppedLabels: ['host_name'],
};

test('a block says where it comes from, and is the same block', async () => {
  const work = { id: 'w', outputs: 2, inputs: ['a', 'b'], beside: false, replaced: [{ id: 'c', atMs: 7 }] };
  const origin: Origin = { place: PLACE, work, batches: BatchRanges.of([{ agentId: 'x', seq: 7n }], 5) };
  const bytes = encodeBlock(batchBlock('name', 1000));
  const kept = withOrigin(bytes, encodeOrigin(origin));
  expect(describeBlock(decodeBlock(kept))).toEqual(describeBlock(decodeBlock(bytes)));
  expect(await readOrigin(bytesSource(kept))).toEqual(origin);
  expect(await readOrigin(bytesSource(bytes))).toBeUndefined();
});

test('an origin that is damaged is an error, not another origin', async () => {
  const spoilt = withOrigin(encodeBlock(batchBlock('name', 1000)), Uint8Array.of(1, 2, 3));
  await expect(readOrigin(bytesSource(spoilt))).rejects.toMatchObject({
    code: 'corrupt_data',
    field: 'footer.origin',
  });
});

test('batches as ranges are the same batches, whatever their order, and old ones are left out', () => {
  const batch = fc.record({ agentId: fc.constantFrom('a', 'b', 'c'), seq: fc.bigInt(0n, 40n) });
  fc.assert(
    fc.property(fc.array(batch), fc.array(batch), (some, others) => {
      const union = BatchRanges.union([BatchRanges.of(some, 10), BatchRanges.of(others, 20)], 0);
      expect(names(union.each())).toEqual(names([...some, ...others]));
      expect(union.size).toBe(names(union.each()).length);
      expect(BatchRanges.union([BatchRanges.of(some, 10)], 11).size).toBe(0);
    }),
  );
});

function names(all: Iterable<{ readonly agentId: string; readonly seq: bigint }>): string[] {
  return [...new Set([...all].map(({ agentId, seq }) => `${agentId} ${seq}`))].toSorted();
}
