import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { arbitraryBlock, describeBlock } from '../testing/index.ts';
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
        expect(decoded.stacks).toEqual(block.stacks);
        expect(encodeBlock(decoded)).toEqual(bytes);
      }),
    );
  });
});
