import { mergeBlocks, type Block } from '@fleetflame/profile';
import { arbitraryBlock, blockFromText, describeBlock, TEST_TIME_MS } from '@fleetflame/profile/testing';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeIntoWindows } from './merge-windows.ts';
import { sliceBlock } from './slice-block.ts';

const MINUTE = 60_000;

const at = (nowMs: number) => ({ nowMs, tenant: 'default', shards: 1, only: undefined });

/** Everything but the block's outer times, which windows may tighten. */
const contents = (blocks: readonly Block[]): string[] =>
  describeBlock(mergeBlocks(blocks)).filter((line) => !line.startsWith('time '));

test('a block across a minute is cut at its edge, and what is not over stays a segment', () => {
  const startMs = Math.ceil(TEST_TIME_MS / MINUTE) * MINUTE - 5000;
  const block = blockFromText(
    `main;parse 30
     main;parse 12 @+4999
     main;parse 5 @+5000
     main;write 7 @+9000`,
    { timeMs: startMs },
  );
  const outputs = mergeIntoWindows([block], at(startMs + 5000 + 30_000));
  expect(outputs.map(({ window, block }) => [window.level, block.samples.length])).toEqual([
    [1, 1],
    [0, 2],
  ]);
  expect(outputs.map(({ block }) => [...block.samples.total])).toEqual([[42], [5, 7]]);
  expect(contents(outputs.map((output) => output.block))).toEqual(contents([block]));
});

test('losses stay with the part that holds the start', () => {
  const block = { ...blockFromText('a 1\nb 2 @+120000'), losses: new Map([['ring_full', 3]]) };
  const parts = [0, 60_000, 120_000].map((from) =>
    sliceBlock(block, TEST_TIME_MS + from, TEST_TIME_MS + from + 60_000),
  );
  expect(parts.map((part) => part.losses.get('ring_full') ?? 0)).toEqual([3, 0, 0]);
});

test('any blocks, at any time: outputs hold exactly what the inputs held, each within its window', () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryBlock(), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 0, max: 40 * 86_400_000 }),
      (blocks, age) => {
        const outputs = mergeIntoWindows(blocks, at(TEST_TIME_MS + age));
        expect(contents(outputs.map((output) => output.block))).toEqual(contents(blocks));
        for (const { window, block } of outputs) {
          expect(block.timeStartMs).toBeGreaterThanOrEqual(window.startMs);
          expect(block.timeEndMs).toBeLessThanOrEqual(window.endMs);
        }
        expect(new Set(outputs.map(({ window }) => window.startMs)).size).toBe(outputs.length);
      },
    ),
    { numRuns: 100 },
  );
});
