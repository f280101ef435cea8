import { describe, expect, test } from 'vitest';
import { BlockBuilder } from '../block/block-builder.ts';
import type { Block } from '../block/block.ts';
import { STOPPED_MAPPING_FILE, stoppedFrameName, type StoppedReason } from '../block/stopped-stacks.ts';
import { parseSelector } from '../selector/parse-selector.ts';
import { TEST_PROFILE_TYPE, TEST_TIME_MS } from '../testing/index.ts';
import { FlameBuilder } from './flame-builder.ts';
import { layoutFlameTree } from './flame-layout.ts';
import { FRAME_KINDS } from './flame-table.ts';
import { selectSeries } from './sample-selection.ts';
import { sumStacks } from './stack-sums.ts';
import type { Symbolize } from './symbolize.ts';
import { topFunctions } from './top-functions.ts';

/** A sample of 10 in `work`, called by main and, of 1, inlined into it. */
function appBlock(buildId: string, workLine: number): Block {
  const builder = new BlockBuilder();
  const series = builder.series(TEST_PROFILE_TYPE, 1, {});
  const text = (string: string): number => builder.string(string);
  const mapping = builder.mapping(text('/usr/bin/app'), text(buildId), 'native');
  const main = builder.function(text('main'), text('main'), text('main.c'), 3);
  const work = builder.function(text('work'), text('work'), text('work.c'), workLine);
  const outer = builder.stack(0, builder.location(mapping, 0x10, 0, [main, 4]));
  const called = builder.stack(outer, builder.location(mapping, 0x20, 0, [work, 9]));
  const inlined = builder.stack(0, builder.location(mapping, 0x30, 0, [work, 8, main, 5]));
  builder.add(series, called, TEST_TIME_MS, 10);
  builder.add(series, inlined, TEST_TIME_MS, 1);
  return builder.build();
}

function build(
  blocks: readonly Block[],
  symbolize?: Symbolize,
  groupBy: readonly string[] = [],
): FlameBuilder {
  const builder = new FlameBuilder({ groupBy });
  for (const block of blocks) {
    const series = selectSeries(block, TEST_PROFILE_TYPE, parseSelector(''));
    builder.addBlock(block, sumStacks(block, { series }, groupBy), symbolize);
  }
  return builder;
}

/** depth, name, kind, build, file:line and total of each row. */
function rows({ tree, builds }: FlameBuilder): string[] {
  const { table } = layoutFlameTree(tree, { builds });
  const { frames } = table;
  return Array.from({ length: table.length }, (_, i) => {
    const frame = table.frame[i]!;
    const text = (column: Uint32Array): string => frames.strings[column[frame]!]!;
    const place = `${text(frames.filename)}:${frames.startLine[frame]}`;
    const kind = FRAME_KINDS[frames.kind[frame]!]!;
    return `${table.depth[i]} ${text(frames.name)} ${kind} (${text(frames.buildId)}) ${place} ${table.total[i]}`;
  });
}

const line = (name: string, startLine: number) => ({
  name,
  systemName: name,
  filename: `${name}.c`,
  startLine,
  line: startLine + 1,
});

const inlinedTwice: Symbolize = () => [line('leaf', 7), line('middle', 5), line('main', 3)];

function stoppedBlock(): Block {
  const builder = new BlockBuilder();
  const series = builder.series(TEST_PROFILE_TYPE, 1, { service_name: 'api' });
  const text = (string: string): number => builder.string(string);
  const marker = builder.mapping(text(STOPPED_MAPPING_FILE), 0, 'unknown');
  const mapping = builder.mapping(text('/usr/lib/libx.so'), text('aa11'), 'native');
  const stopped = (reason: StoppedReason): number => {
    const name = text(stoppedFrameName(reason));
    return builder.stack(0, builder.location(marker, 0, 0, [builder.function(name, name, 0, 0), 0]));
  };
  const leaf = builder.location(mapping, 0x10, 0, []);
  const deep = builder.stack(builder.stack(stopped('no_row'), leaf), builder.location(mapping, 0x20, 0, []));
  builder.add(series, deep, TEST_TIME_MS, 10);
  builder.add(series, builder.stack(stopped('no_table'), leaf), TEST_TIME_MS, 4);
  builder.add(series, stopped('read_failed'), TEST_TIME_MS, 2);
  builder.add(series, builder.stack(0, leaf), TEST_TIME_MS, 100);
  return builder.build();
}

describe('frames', () => {
  test('say what they are, of which build, and where their function begins', () => {
    expect(rows(build([appBlock('aa11', 7)]))).toEqual([
      '0 all root () :0 11',
      '1 main native (aa11) main.c:3 11',
      '2 work native (aa11) work.c:7 10',
      '2 work inlined (aa11) work.c:7 1',
    ]);
  });

  test('of several builds are one, and say so; a line that moved is not claimed', () => {
    const both = build([appBlock('aa11', 7), appBlock('bb22', 8)]);
    expect(rows(both).slice(1)).toEqual([
      '1 main native (several) main.c:3 22',
      '2 work native (several) work.c:0 20',
      '2 work inlined (several) work.c:0 2',
    ]);
  });

  test('say the build of their own answer, though the same names were seen in others', () => {
    const old = build([appBlock('aa11', 7)]);
    // Shares the frames, as the trees of a query service do.
    const now = new FlameBuilder({ tree: old.tree.clone() });
    const block = appBlock('bb22', 8);
    const series = selectSeries(block, TEST_PROFILE_TYPE, parseSelector(''));
    now.addBlock(block, sumStacks(block, { series }, []));
    expect(rows(now)[2]).toBe('2 work native (bb22) work.c:8 20');
  });

  test('take their lines from symbols, innermost first, where the block has none', () => {
    const builder = new BlockBuilder();
    const series = builder.series(TEST_PROFILE_TYPE, 1, {});
    const mapping = builder.mapping(builder.string('/usr/bin/app'), builder.string('aa11'), 'native');
    builder.add(series, builder.stack(0, builder.location(mapping, 0x30, 0, [])), TEST_TIME_MS, 4);
    expect(rows(build([builder.build()], inlinedTwice))).toEqual([
      '0 all root () :0 4',
      '1 main native (aa11) main.c:3 4',
      '2 middle inlined (aa11) middle.c:5 4',
      '3 leaf inlined (aa11) leaf.c:7 4',
    ]);
  });

  test('called and inlined are one function in the top table', () => {
    const { tree, builds } = build([appBlock('aa11', 7)]);
    expect(topFunctions(tree, 10, builds).functions).toEqual([
      {
        name: 'work',
        filename: 'work.c',
        binary: 'app',
        buildId: 'aa11',
        startLine: 7,
        kind: 'native',
        partlyInlined: true,
        self: 11,
        total: 11,
      },
      expect.objectContaining({ name: 'main', partlyInlined: false, self: 0, total: 11 }),
    ]);
  });
});

describe('stacks that ended early', () => {
  test('are counted by reason and by the binary in which they ended', () => {
    const expected = [
      { reason: 'no_row', binary: 'libx.so', value: 10 },
      { reason: 'no_table', binary: 'libx.so', value: 4 },
      { reason: 'read_failed', binary: '', value: 2 },
    ];
    expect(build([stoppedBlock()]).stopped).toEqual(expected);
    expect(build([stoppedBlock()], undefined, ['service_name']).stopped).toEqual(expected);
    expect(build([appBlock('aa11', 7)]).stopped).toEqual([]);
  });

  test('have a marker that is no function', () => {
    const { tree, builds } = build([stoppedBlock()]);
    const { table } = layoutFlameTree(tree, { builds });
    const kinds = Array.from(table.frames.kind, (kind) => FRAME_KINDS[kind]);
    expect(kinds.filter((kind) => kind === 'stopped')).toHaveLength(3);
    const { functions, emptySelf, total } = topFunctions(tree, 10);
    expect(functions.map(({ name }) => name)).toEqual(['libx.so+0x10', 'libx.so+0x20']);
    expect([emptySelf, total]).toEqual([2, 116]);
  });
});
