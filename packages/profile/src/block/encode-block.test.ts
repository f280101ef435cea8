import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { arbitraryBlock, blockFromText, describeBlock } from '../testing/index.ts';
import { resealBlock } from '../testing/reseal-block.ts';
import { decodeBlock } from './decode-block.ts';
import { encodeBlock } from './encode-block.ts';

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

  test.each([1, 3])('refuse version %d by name', (version) => {
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
