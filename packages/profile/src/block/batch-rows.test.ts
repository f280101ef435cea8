import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { decodePprof, decodePprofRows } from '../formats/pprof/decode-pprof.ts';
import { encodePprof } from '../formats/pprof/encode-pprof.ts';
import { arbitraryBlock, blockFromText, describeBlock, TEST_PROFILE_TYPE } from '../testing/index.ts';
import { mergeRows, rowsOfBlock, seriesOfRows } from './batch-rows.ts';
import { decodeBlock } from './decode-block.ts';
import { encodeBlock } from './encode-block.ts';
import { mergeBlocks } from './merge-blocks.ts';
import { InternedTables } from './tables/interned-tables.ts';

describe('rows over shared tables', () => {
  test('merge as the blocks do, whatever else is in the tables', () => {
    fc.assert(
      fc.property(fc.array(arbitraryBlock(), { maxLength: 6 }), fc.nat(63), (blocks, chosen) => {
        const tables = new InternedTables();
        const rows = blocks.map((block) => rowsOfBlock(tables, block));
        const wanted = (_: unknown, i: number): boolean => ((chosen >> i) & 1) === 1;
        const merged = mergeRows(rows.filter(wanted));
        expect(describeBlock(merged)).toEqual(describeBlock(mergeBlocks(blocks.filter(wanted))));
        // Every order and index holds: what is written reads as it was.
        expect(describeBlock(decodeBlock(encodeBlock(merged)))).toEqual(describeBlock(merged));
      }),
    );
  });

  test('hold nothing of the tables that no sample uses', () => {
    const tables = new InternedTables();
    rowsOfBlock(tables, blockFromText('secret;hidden 5', { labels: { service_name: 'other' } }));
    const merged = mergeRows([rowsOfBlock(tables, blockFromText('main;work 7'))]);
    expect([...merged.strings]).not.toContain('secret');
    expect([...merged.strings]).not.toContain('other');
    expect([merged.stacks.length, merged.locations.length, merged.functions.length]).toEqual([3, 2, 2]);
  });

  test('of several tables become one block', () => {
    const blocks = ['main;a 1', 'main;b 2', 'main;a 4'].map((text) => blockFromText(text));
    const merged = mergeRows(blocks.map((block) => rowsOfBlock(new InternedTables(), block)));
    expect(describeBlock(merged)).toEqual(describeBlock(mergeBlocks(blocks)));
  });

  test('of a pushed file are those of its block, as often as tables were used', () => {
    const tables = new InternedTables();
    fc.assert(
      fc.property(arbitraryBlock(), (block) => {
        const file = encodePprof(block, { profileType: TEST_PROFILE_TYPE });
        const options = { labels: { service_name: 'pushed' }, timeMs: 1_700_000_000_000 };
        const { block: own, ...rest } = decodePprof(file, options);
        const { rows, ...shared } = decodePprofRows(file, tables, options);
        expect(shared).toEqual(rest);
        expect(rows.series.length).toBe(own.samples.length);
        expect(describeBlock(mergeRows([rows]))).toEqual(describeBlock(mergeBlocks([own])));
      }),
    );
  });

  test('say whose they are', () => {
    const tables = new InternedTables();
    const labels = { service_name: 'a', zone: 'b' };
    rowsOfBlock(tables, blockFromText('main 1', { labels: { service_name: 'other' } }));
    const { series, strings } = seriesOfRows(rowsOfBlock(tables, blockFromText('main 1', { labels })));
    expect(series.length).toBe(1);
    expect([...series.labelName].map((name) => strings.at(name))).toEqual(['service_name', 'zone']);
    expect([...series.labelValue].map((value) => strings.at(value))).toEqual(['a', 'b']);
  });
});
