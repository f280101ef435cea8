/** What profiles want to be shown first is kept by merging, and costs blocks nothing that say nothing. */
import { expect, test } from 'vitest';
import { blockFromText, describeBlock } from '../testing/index.ts';
import { footerOf, resealBlock } from '../testing/reseal-block.ts';
import { mergeRows, rowsOfBlock } from './batch-rows.ts';
import type { Block } from './block.ts';
import { decodeBlock } from './decode-block.ts';
import { datasetKey } from './default-types.ts';
import { encodeBlock } from './encode-block.ts';
import { mergeBlocks } from './merge-blocks.ts';
import { InternedTables } from './tables/interned-tables.ts';

const HEAP = 'memory:inuse_space:bytes:space:bytes';
const plain = blockFromText('main 7', { profileType: HEAP, labels: { service_name: 'api' } });
const other = blockFromText('main 3', { profileType: HEAP, labels: { service_name: 'db' } });
const marked: Block = { ...plain, defaultTypes: new Set([datasetKey(HEAP, 'api')]) };

const defaults = (block: Block): string[] =>
  describeBlock(block).filter((line) => line.startsWith('default '));

test('a mark stays with its dataset, whatever it is merged with and in which order', () => {
  const expected = [`default ${HEAP} "api"`];
  for (const blocks of [
    [marked, plain, other],
    [other, marked, marked],
  ]) {
    expect(defaults(mergeBlocks(blocks))).toEqual(expected);
    const tables = new InternedTables();
    expect(defaults(mergeRows(blocks.map((block) => rowsOfBlock(tables, block))))).toEqual(expected);
    expect(defaults(decodeBlock(encodeBlock(mergeBlocks(blocks))))).toEqual(expected);
  }
});

test('a block of before is read and merged as one that says nothing, and one without a mark is the same bytes', () => {
  const bytes = encodeBlock(marked);
  const before = resealBlock(bytes, (footer) => {
    for (const dataset of footer.datasets) dataset.isDefault = false;
  });
  expect(before).toEqual(encodeBlock(plain));
  expect(footerOf(bytes).formatVersion).toBe(footerOf(before).formatVersion);
  expect(defaults(decodeBlock(before))).toEqual([]);
  expect(defaults(mergeBlocks([decodeBlock(before), decodeBlock(bytes)]))).toHaveLength(1);
});
