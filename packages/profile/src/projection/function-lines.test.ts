import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockBuilder } from '../block/block-builder.ts';
import type { Block } from '../block/block.ts';
import { parseSelector } from '../selector/parse-selector.ts';
import { arbitraryBlock, TEST_PROFILE_TYPE, TEST_TIME_MS } from '../testing/index.ts';
import { FlameBuilder } from './flame-builder.ts';
import { FunctionLines, type FunctionName } from './function-lines.ts';
import { selectSeries } from './sample-selection.ts';
import { sumStacks, type StackSums } from './stack-sums.ts';
import type { Symbolize } from './symbolize.ts';
import { topFunctions } from './top-functions.ts';

function sumsOf(block: Block): StackSums {
  return sumStacks(block, { series: selectSeries(block, TEST_PROFILE_TYPE, parseSelector('')) }, []);
}

function linesOf(blocks: readonly Block[], name: FunctionName, symbolize?: Symbolize): FunctionLines {
  const found = new FunctionLines(name);
  for (const block of blocks) found.addBlock(block, sumsOf(block), symbolize);
  return found;
}

/** walk (line 7 → walk, line 9 → step inlined at line 12, its own line 40), and step called on line 41. */
function recursion(): Block {
  const builder = new BlockBuilder();
  const series = builder.series(TEST_PROFILE_TYPE, 1, {});
  const mapping = builder.mapping(builder.string('/usr/bin/app'), builder.string('ab12'), 'native');
  const fn = (name: string, line: number): number =>
    builder.function(builder.string(name), builder.string(name), builder.string('app.c'), line);
  const at = (address: number, lines: readonly number[]): number =>
    builder.location(mapping, address, 0, [...lines]);
  const outer = builder.stack(0, at(0x10, [fn('walk', 5), 7]));
  const again = builder.stack(outer, at(0x10, [fn('walk', 5), 7]));
  const inner = builder.stack(again, at(0x20, [fn('walk', 5), 9]));
  builder.add(series, inner, TEST_TIME_MS, 100);
  builder.add(
    series,
    builder.stack(inner, at(0x30, [fn('step', 38), 40, fn('walk', 5), 12])),
    TEST_TIME_MS,
    20,
  );
  builder.add(series, builder.stack(outer, at(0x40, [fn('step', 38), 41])), TEST_TIME_MS, 3);
  return builder.build();
}

const symbolize: Symbolize = (_, address) =>
  address === 0x20
    ? [{ name: 'walk', systemName: 'walk', filename: 'app.c', startLine: 5, line: 9 }]
    : 'not_covered';

describe('lines of a function', () => {
  const walk = { name: 'walk', filename: 'app.c', binary: 'app' };
  const step = { name: 'step', filename: 'app.c', binary: 'app' };

  test('have the value of the stacks through them, each once, and self where they are innermost', () => {
    const found = linesOf([recursion()], walk);
    expect([found.self, found.total, found.inlinedSelf]).toEqual([100, 123, 0]);
    expect(found.lines).toEqual([
      { line: 9, self: 100, total: 120 },
      { line: 7, self: 0, total: 123 },
      { line: 12, self: 0, total: 20 },
    ]);
  });

  test('count where the function is inlined and where it is called', () => {
    const found = linesOf([recursion(), recursion()], step);
    expect([found.self, found.total, found.inlinedSelf]).toEqual([46, 46, 40]);
    expect(found.lines).toEqual([
      { line: 40, self: 40, total: 40 },
      { line: 41, self: 6, total: 6 },
    ]);
    expect(found.builds).toEqual([{ file: '/usr/bin/app', buildId: 'ab12', self: 46, total: 46 }]);
  });

  test('come from symbols where the block has none', () => {
    const builder = new BlockBuilder();
    const series = builder.series(TEST_PROFILE_TYPE, 1, {});
    const mapping = builder.mapping(builder.string('/usr/bin/app'), builder.string('ab12'), 'native');
    builder.add(series, builder.stack(0, builder.location(mapping, 0x20, 0, [])), TEST_TIME_MS, 5);
    builder.add(series, builder.stack(0, builder.location(mapping, 0x30, 0, [])), TEST_TIME_MS, 7);
    const block = builder.build();
    expect(linesOf([block], walk, symbolize).lines).toEqual([{ line: 9, self: 5, total: 5 }]);
    const unnamed = linesOf([block], { name: 'app+0x30', filename: '', binary: 'app' }, symbolize);
    expect([unnamed.self, unnamed.total]).toEqual([7, 7]);
  });

  test('add up to what the top table says of every function', () => {
    fc.assert(
      fc.property(arbitraryBlock({ instants: true }), (block) => {
        const builder = new FlameBuilder();
        builder.addBlock(block, sumsOf(block));
        const sums = new Map<string, { readonly name: FunctionName; self: number }>();
        for (const { name, filename, binary, self } of topFunctions(builder.tree, 1000).functions) {
          const key = JSON.stringify([name, filename, binary]);
          const known = sums.get(key);
          if (known === undefined) sums.set(key, { name: { name, filename, binary }, self });
          else known.self += self;
        }
        for (const { name, self } of sums.values()) {
          const found = linesOf([block], name);
          expect(found.self).toBe(self);
          expect(found.lines.reduce((sum, line) => sum + line.self, 0)).toBe(self);
          expect(found.builds.reduce((sum, build) => sum + build.total, 0)).toBe(found.total);
        }
      }),
      { numRuns: 100 },
    );
  });
});
