import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { arbitraryBlock, blockFromText, describeBlock } from '../testing/index.ts';
import { resealBlock } from '../testing/reseal-block.ts';
import { BlockBuilder } from './block-builder.ts';
import type { Block } from './block.ts';
import { decodeBlock } from './decode-block.ts';
import { encodeBlock } from './encode-block.ts';
import { bytesSource } from './range-source.ts';
import { readFooter } from './read-block.ts';

/** A location of two lines with these columns. */
function build(columns: number[]): Block {
  const builder = new BlockBuilder();
  const main = builder.function(builder.string('main'), 0, 0, 0);
  const location = builder.location(0, 0, 0, [main, 7, main, 9], columns);
  builder.add(builder.series('a:b:c:d:e', 0, {}), builder.stack(0, location), 1, 1);
  return builder.build();
}

describe('encodeBlock and decodeBlock', () => {
  test('give back the same block', () => {
    fc.assert(
      fc.property(arbitraryBlock(), (block) => {
        const bytes = encodeBlock(block);
        const decoded = decodeBlock(bytes);
        expect(describeBlock(decoded)).toEqual(describeBlock(block));
        expect(decoded.samples).toEqual(block.samples);
        expect(decoded.stacks.parent).toEqual(block.stacks.parent);
        expect(encodeBlock(decoded)).toEqual(bytes);
      }),
    );
  });

  test('keep values up to the ends of 64 bits', () => {
    const max = 2 ** 63 - 1024;
    const block = blockFromText('a 1\nb -1');
    const samples = {
      ...block.samples,
      total: Float64Array.of(max, -max),
      value: Float64Array.of(max, -max),
    };
    expect(decodeBlock(encodeBlock({ ...block, samples })).samples).toEqual(samples);
  });

  test('refuse a sum that 64 bits do not hold', () => {
    const block = blockFromText('a 1\nb 1');
    const value = Float64Array.of(2 ** 62, 2 ** 62);
    const samples = { ...block.samples, total: value, value };
    expect(() => encodeBlock({ ...block, samples })).toThrow(/more than 64 bits hold/u);
  });

  test('refuse to allocate more than the limit', () => {
    const bytes = encodeBlock(blockFromText('main;a 1\nmain;b 2'));
    expect(() => decodeBlock(bytes, { limits: { inflatedBytes: 64 } })).toThrow(
      expect.objectContaining({ code: 'limit_exceeded', message: expect.stringContaining('inflatedBytes') }),
    );
    expect(() => decodeBlock(bytes, { limits: { rows: 2 } })).toThrow(/over the limit rows of 2/u);
    expect(() => decodeBlock(bytes, { limits: { footerBytes: 9 } })).toThrow(/limit footerBytes of 9/u);
  });

  test('blocks with columns of lines are version 3, and those without are version 2 as before', async () => {
    const found: unknown[] = [];
    for (const columns of [[], [0, 0], [0, 5]]) {
      const bytes = encodeBlock(build(columns));
      const { formatVersion } = await readFooter(bytesSource(bytes));
      found.push([formatVersion, ...decodeBlock(bytes).locations.lineColumn]);
    }
    expect(found).toEqual([
      [2, 0, 0],
      [2, 0, 0],
      [3, 0, 5],
    ]);
  });

  test.each([1, 4])('refuse version %d by name', (version) => {
    const bytes = resealBlock(encodeBlock(blockFromText('main 1')), (footer) => {
      footer.formatVersion = version;
    });
    expect(() => decodeBlock(bytes)).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        field: 'footer.format_version',
        message: expect.stringContaining(`format version ${version}`),
      }),
    );
  });
});
