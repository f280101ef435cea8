import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bufferSource, cutShort, ElfFile } from './index.ts';

test('a whole program is whole, and no shorter piece of it is', () => {
  const bytes = readFileSync(process.execPath);
  expect(cutShort(ElfFile.parse(bufferSource(bytes)))).toBeUndefined();
  for (const length of [3000, bytes.length >> 1, bytes.length - 1]) {
    expect(cutShort(ElfFile.parse(bufferSource(bytes.subarray(0, length)))), `${length}`).toMatch(
      /cut short/,
    );
  }
});
