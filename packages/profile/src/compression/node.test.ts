import { describe, expect, test } from 'vitest';

import * as browser from './browser.ts';
import { gunzip, gzip, zstdCompress, zstdDecompress } from './node.ts';

const text = new TextEncoder().encode('the same bytes again and again; '.repeat(500));
const bomb = new Uint8Array(64 << 20);

describe.each([
  ['zstd', zstdCompress, zstdDecompress, 'corrupt_data'],
  ['gzip', gzip, gunzip, 'invalid_input'],
] as const)('%s', (_, compress, decompress, broken) => {
  test('gives back what it was given, up to exactly the limit', () => {
    expect(new Uint8Array(decompress(compress(text), text.length))).toEqual(text);
    expect(decompress(compress(new Uint8Array(0)), 0).length).toBe(0);
  });

  test('refuses content over the limit', () => {
    const small = compress(bomb);
    expect(small.length).toBeLessThan(100_000);
    expect(() => decompress(small, 1 << 20)).toThrow(
      expect.objectContaining({ code: 'limit_exceeded', message: expect.stringContaining('1048576') }),
    );
    expect(() => decompress(compress(Uint8Array.of(1)), 0)).toThrow(
      expect.objectContaining({ code: 'limit_exceeded' }),
    );
  });

  test('refuses data that is cut off, changed or something else', () => {
    const good = compress(text);
    const changed = good.slice();
    changed[good.length - 1]! ^= 1;
    for (const bytes of [good.subarray(0, good.length - 5), changed, text, new Uint8Array(0)]) {
      expect(() => decompress(bytes, 1 << 20)).toThrow(expect.objectContaining({ code: broken }));
    }
  });
});

describe('compression in the browser', () => {
  test.each(Object.entries(browser))('%s says that it is not supported', (_, run) => {
    expect(() => run(text, 1)).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});
