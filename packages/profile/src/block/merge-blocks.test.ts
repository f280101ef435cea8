import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { arbitraryBlock, blockFromText, describeBlock, TEST_TIME_MS } from '../testing/index.ts';
import type { Block } from './block.ts';
import { mergeBlocks } from './merge-blocks.ts';

function totals(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => block.samples.total.reduce((a, b) => a + b, sum), 0);
}

describe('mergeBlocks', () => {
  test('sums equal stacks at equal times and keeps the others apart', () => {
    const merged = mergeBlocks([
      blockFromText('main;parse 30\nmain;write 2 @+10'),
      blockFromText('main;parse 5\nmain;write 1 @+20'),
    ]);
    expect(describeBlock(merged)).toEqual([
      `time ${TEST_TIME_MS} ${TEST_TIME_MS + 21}`,
      `process_cpu:cpu:nanoseconds:cpu:nanoseconds 10000000 {"service_name":"test"} main;parse = 35: ${TEST_TIME_MS} 35`,
      `process_cpu:cpu:nanoseconds:cpu:nanoseconds 10000000 {"service_name":"test"} main;write = 3: ${TEST_TIME_MS + 10} 2, ${TEST_TIME_MS + 20} 1`,
    ]);
  });

  test('moves times to the earliest start', () => {
    const merged = mergeBlocks([
      blockFromText('main 1', { timeMs: 5000 }),
      blockFromText('main 2', { timeMs: 2000 }),
    ]);
    expect([merged.timeStartMs, merged.timeEndMs]).toEqual([2000, 5001]);
    expect([...merged.samples.time]).toEqual([0, 3000]);
    expect([...merged.samples.value]).toEqual([2, 1]);
  });

  test('is associative and commutative to the last integer', () => {
    fc.assert(
      fc.property(arbitraryBlock(), arbitraryBlock(), arbitraryBlock(), (a, b, c) => {
        const whole = describeBlock(mergeBlocks([a, b, c]));
        expect(describeBlock(mergeBlocks([c, a, b]))).toEqual(whole);
        expect(describeBlock(mergeBlocks([mergeBlocks([a, b]), c]))).toEqual(whole);
        expect(describeBlock(mergeBlocks([a, mergeBlocks([c, b])]))).toEqual(whole);
      }),
    );
  });

  test('has the empty block as identity and leaves a single block as it is', () => {
    fc.assert(
      fc.property(arbitraryBlock(), (block) => {
        expect(describeBlock(mergeBlocks([block]))).toEqual(describeBlock(block));
        expect(describeBlock(mergeBlocks([mergeBlocks([]), block]))).toEqual(describeBlock(block));
      }),
    );
  });

  test('preserves totals', () => {
    fc.assert(
      fc.property(fc.array(arbitraryBlock(), { maxLength: 4 }), (blocks) => {
        expect(totals([mergeBlocks(blocks)])).toBe(totals(blocks));
      }),
    );
  });

  test('drops what no sample refers to', () => {
    const block = blockFromText('main;parse 1\nmain;write 2');
    const { samples } = block;
    const first = {
      length: 1,
      series: samples.series.slice(0, 1),
      stack: samples.stack.slice(0, 1),
      total: samples.total.slice(0, 1),
      pointStart: samples.pointStart.slice(0, 2),
      time: samples.time.slice(0, 1),
      value: samples.value.slice(0, 1),
    };
    const merged = mergeBlocks([{ ...block, samples: first }]);
    expect(merged.stacks.length).toBe(3);
    expect(merged.functions.length).toBe(2);
    expect(merged.strings).not.toContain('write');
  });

  test('refuses blocks further apart than a block can span', () => {
    const blocks = [blockFromText('main 1', { timeMs: 0 }), blockFromText('main 1')];
    expect(() => mergeBlocks(blocks)).toThrow(/at most 4294967296 ms/u);
  });
});
