import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockBuilder } from '../block/block-builder.ts';
import { MAPPING_KINDS, type Block } from '../block/block.ts';
import { mergeBlocks } from '../block/merge-blocks.ts';
import { parseSelector } from '../selector/parse-selector.ts';
import { arbitraryBlock, blockFromText, TEST_PROFILE_TYPE, TEST_TIME_MS } from '../testing/index.ts';
import { FlameBuilder } from './flame-builder.ts';
import { layoutFlameTree } from './flame-layout.ts';
import { FRAME_KINDS, type FlameTable } from './flame-table.ts';
import { selectSeries, type SampleSelection } from './sample-selection.ts';
import { sumStacks } from './stack-sums.ts';
import { buildIdsToSymbolize, symbolizeNothing, type SymbolLine, type Symbolize } from './symbolize.ts';
import { topFunctions } from './top-functions.ts';

interface Options {
  readonly groupBy?: readonly string[];
  readonly selector?: string;
  readonly timeRange?: SampleSelection['timeRange'];
  readonly symbolize?: Symbolize;
}

function build(blocks: readonly Block[], options: Options = {}): FlameBuilder {
  const builder = new FlameBuilder({ groupBy: options.groupBy ?? [] });
  for (const block of blocks) {
    const series = selectSeries(block, TEST_PROFILE_TYPE, parseSelector(options.selector ?? ''));
    const sums = sumStacks(block, { series, timeRange: options.timeRange }, options.groupBy ?? []);
    builder.addBlock(block, sums, options.symbolize ?? symbolizeNothing);
  }
  return builder;
}

/** name path, total, self: rows as text. */
function rows(table: FlameTable): string[] {
  const names: string[] = [];
  return Array.from({ length: table.length }, (_, i) => {
    const { frames } = table;
    names.length = table.depth[i]!;
    names.push(frames.strings[frames.name[table.frame[i]!]!]!);
    return `${names.join(';')} ${table.total[i]} ${table.self[i]}`;
  });
}

function everything(table: FlameTable): unknown {
  return { ...table, parent: [...table.parent], total: [...table.total], self: [...table.self] };
}

/** Sum of all values of the test's profile type, from the points. */
function plainSum(block: Block, timeRange?: SampleSelection['timeRange']): number {
  const { samples, series, strings } = block;
  let sum = 0;
  for (let row = 0; row < samples.length; row++) {
    if (strings.at(series.profileType[samples.series[row]!]!) !== TEST_PROFILE_TYPE) continue;
    for (let point = samples.pointStart[row]!; point < samples.pointStart[row + 1]!; point++) {
      const time = block.timeStartMs + samples.time[point]!;
      if (timeRange && (time < timeRange.fromMs || time >= timeRange.toMs)) continue;
      sum += samples.value[point]!;
    }
  }
  return sum;
}

/** Folded paths and their values, summed the slow and obvious way. */
function foldedByHand(blocks: readonly Block[]): Map<string, number> {
  const folded = new Map<string, number>();
  for (const block of blocks) {
    const { samples, series, stacks, strings } = block;
    for (let row = 0; row < samples.length; row++) {
      if (strings.at(series.profileType[samples.series[row]!]!) !== TEST_PROFILE_TYPE) continue;
      const path: string[] = [];
      for (let s = samples.stack[row]!; s !== 0; s = stacks.parent[s]!) {
        path.unshift(...framesByHand(block, stacks.location[s]!));
      }
      const key = path.join(' → ');
      folded.set(key, (folded.get(key) ?? 0) + samples.total[row]!);
    }
  }
  return folded;
}

function framesByHand({ locations, functions, mappings, strings }: Block, location: number): string[] {
  const mapping = locations.mapping[location]!;
  const file = strings.at(mappings.file[mapping]!).split('/').at(-1)!;
  const kind = MAPPING_KINDS[mappings.kind[mapping]!]!;
  const called = `[${file}|${kind === 'vdso' || kind === 'native_offset' ? 'native' : kind}]`;
  const inlined = `[${file}|inlined]`;
  const outermost = locations.lineStart[location + 1]! - 1;
  const unnamed = `${file || '[unknown]'}+0x${locations.address[location]!.toString(16)}`;
  const frames: string[] = [];
  for (let line = locations.lineStart[location]!; line < locations.lineStart[location + 1]!; line++) {
    const fn = locations.lineFunction[line]!;
    const name = strings.at(functions.name[fn]!);
    const text = name === '' ? unnamed : `${name}(${strings.at(functions.filename[fn]!)})`;
    frames.unshift(`${text} ${line === outermost ? called : inlined}`);
  }
  return frames.length === 0 ? [`${unnamed} ${called}`] : frames;
}

/** The frame that counts as the function of each frame of a block: an inlined one is where it is called. */
function functionsByHand(block: Block): (frame: string) => string {
  const { samples, series, stacks, strings } = block;
  const sums = new Map<number, number>();
  for (let row = 0; row < samples.length; row++) {
    if (strings.at(series.profileType[samples.series[row]!]!) !== TEST_PROFILE_TYPE) continue;
    sums.set(samples.stack[row]!, (sums.get(samples.stack[row]!) ?? 0) + samples.total[row]!);
  }
  const seen = new Set<string>();
  for (const [stack, sum] of sums) {
    if (sum === 0) continue;
    for (let s = stack; s !== 0; s = stacks.parent[s]!) {
      for (const frame of framesByHand(block, stacks.location[s]!)) seen.add(frame);
    }
  }
  const kinds = ['native', 'unknown', 'kernel', 'jit', 'interpreted'];
  return (frame) =>
    !frame.endsWith('|inlined]')
      ? frame
      : (kinds.map((kind) => frame.replace(/inlined\]$/u, `${kind}]`)).find((called) => seen.has(called)) ??
        frame);
}

function foldedOfTree({ tree }: FlameBuilder): Map<string, number> {
  const folded = new Map<string, number>();
  const paths: string[] = [''];
  for (let node = 0; node < tree.length; node++) {
    if (node > 0) {
      const frame = tree.frame[node]!;
      const { frames } = tree;
      const suffix = `[${frames.binaryOf(frame)}|${FRAME_KINDS[frames.kind[frame]!]}]`;
      const name =
        frames.namedOf(frame) === 1
          ? `${frames.nameOf(frame)}(${frames.filenameOf(frame)})`
          : frames.nameOf(frame);
      const parent = paths[tree.parent[node]!]!;
      paths[node] = `${parent === '' ? '' : `${parent} → `}${name} ${suffix}`;
    }
    if (tree.self[node] !== 0) folded.set(paths[node]!, tree.self[node]!);
  }
  return folded;
}

function symbolLine(name: string): SymbolLine {
  return { name, systemName: name, filename: `${name}.c`, startLine: 1, line: 2 };
}

const symbolizeApp: Symbolize = (buildId, address) => {
  if (buildId !== 'ab12') return 'not_uploaded';
  if (address === 0x1000) return [symbolLine('main')];
  return address === 0x2000 ? [symbolLine('inlined'), symbolLine('caller')] : 'not_covered';
};

describe('flame graph of blocks', () => {
  test('adds up equal paths over blocks, and groups by labels at the top', () => {
    const a = blockFromText('main;handle;parse 30\nmain;handle;write 12', {
      labels: { service_name: 'api' },
    });
    const b = blockFromText('main;handle;parse 3\nidle 1', { labels: { service_name: 'db' } });
    expect(rows(layoutFlameTree(build([a, b]).tree).table)).toEqual([
      'all 46 0',
      'all;idle 1 1',
      'all;main 45 0',
      'all;main;handle 45 0',
      'all;main;handle;parse 33 33',
      'all;main;handle;write 12 12',
    ]);
    const grouped = build([a, b], { groupBy: ['service_name', 'zone'] });
    expect(rows(layoutFlameTree(grouped.tree).table)).toEqual([
      'all 46 0',
      'all;api 42 0',
      'all;api;(no zone) 42 0',
      'all;api;(no zone);main 42 0',
      'all;api;(no zone);main;handle 42 0',
      'all;api;(no zone);main;handle;parse 30 30',
      'all;api;(no zone);main;handle;write 12 12',
      'all;db 4 0',
      'all;db;(no zone) 4 0',
      'all;db;(no zone);idle 1 1',
      'all;db;(no zone);main 3 0',
      'all;db;(no zone);main;handle 3 0',
      'all;db;(no zone);main;handle;parse 3 3',
    ]);
    expect(rows(layoutFlameTree(build([a, b], { selector: '{service_name="db"}' }).tree).table)[0]).toBe(
      'all 4 0',
    );
  });

  test('counts only points inside the time range', () => {
    const block = blockFromText('main;a 5\nmain;a 7 @+1000\nmain;b 1 @+1000\nmain;c 9 @+2000');
    const timeRange = { fromMs: TEST_TIME_MS + 1000, toMs: TEST_TIME_MS + 2000 };
    const builder = build([block], { timeRange });
    expect(rows(layoutFlameTree(builder.tree).table)).toEqual([
      'all 8 0',
      'all;main 8 0',
      'all;main;a 7 7',
      'all;main;b 1 1',
    ]);
  });

  test('a focused path counts only the stacks that begin with it', () => {
    const block = blockFromText('main;a;x 5\nmain;b;x 7\nother;a;x 1\nmain 2\nmain;a 3');
    expect(rows(layoutFlameTree(build([block]).tree, { focus: ['main', 'a'] }).table)).toEqual([
      'all 8 0',
      'all;main 8 0',
      'all;main;a 8 3',
      'all;main;a;x 5 5',
    ]);
    expect(rows(layoutFlameTree(build([block]).tree, { focus: ['main', 'gone'] }).table)).toEqual([
      'all 0 0',
    ]);
  });

  test('keeps the widest nodes and states what it pruned where', () => {
    const block = blockFromText('main;a;x 50\nmain;b;x 7\nmain;c 1\nmain;a;y;z 20');
    const { table, prunedNodes, prunedValue, total } = layoutFlameTree(build([block]).tree, { maxNodes: 5 });
    expect(rows(table)).toEqual([
      'all 78 0',
      'all;main 78 0',
      'all;main;a 70 0',
      'all;main;a;x 50 50',
      'all;main;a;y 20 0',
    ]);
    expect([...table.prunedNodes]).toEqual([0, 3, 0, 0, 1]);
    expect({ prunedNodes, prunedValue, total }).toEqual({ prunedNodes: 4, prunedValue: 28, total: 78 });
  });

  test('names native frames by symbols, inlined ones too, and accounts what has no name', () => {
    const builder = new BlockBuilder();
    const series = builder.series(TEST_PROFILE_TYPE, 1, {});
    const native = builder.mapping(builder.string('/usr/bin/app'), builder.string('ab12'), 'native');
    const other = builder.mapping(builder.string('/usr/lib/other.so'), builder.string('cd34'), 'native');
    const bare = builder.mapping(builder.string('/opt/bare'), 0, 'native');
    const kernel = builder.mapping(builder.string('[kernel]'), 0, 'kernel');
    const outer = builder.stack(0, builder.location(native, 0x1000, 0, []));
    builder.add(series, builder.stack(outer, builder.location(native, 0x2000, 0, [])), TEST_TIME_MS, 1);
    builder.add(series, builder.stack(outer, builder.location(native, 0x9000, 0, [])), TEST_TIME_MS, 2);
    builder.add(series, builder.stack(outer, builder.location(other, 0x10, 0, [])), TEST_TIME_MS, 4);
    builder.add(series, builder.stack(outer, builder.location(other, 0x20, 0, [])), TEST_TIME_MS, 8);
    builder.add(series, builder.stack(outer, builder.location(bare, 0x30, 1, [])), TEST_TIME_MS, 16);
    builder.add(series, builder.stack(outer, builder.location(kernel, 0x40, 0, [])), TEST_TIME_MS, 32);
    builder.add(series, builder.stack(outer, builder.location(0, 0x50, 0, [])), TEST_TIME_MS, 64);
    const block = builder.build();
    const built = build([block], { symbolize: symbolizeApp });
    expect(rows(layoutFlameTree(built.tree).table)).toEqual([
      'all 127 0',
      'all;main 127 0',
      'all;main;[kernel]+0x40 32 32',
      'all;main;[unknown]+0x50 64 64',
      'all;main;app+0x9000 2 2',
      'all;main;bare+0x100000030 16 16',
      'all;main;caller 1 0',
      'all;main;caller;inlined 1 1',
      'all;main;other.so+0x10 4 4',
      'all;main;other.so+0x20 8 8',
    ]);
    expect(built.unnamed).toEqual([
      { binary: '', buildId: '', reason: 'no_mapping', self: 64 },
      { binary: '[kernel]', buildId: '', reason: 'not_covered', self: 32 },
      { binary: 'bare', buildId: '', reason: 'no_build_id', self: 16 },
      { binary: 'other.so', buildId: 'cd34', reason: 'not_uploaded', self: 12 },
      { binary: 'app', buildId: 'ab12', reason: 'not_covered', self: 2 },
    ]);
    const series1 = Uint8Array.of(1);
    expect(buildIdsToSymbolize(block, sumStacks(block, { series: series1 }, [])).sort()).toEqual([
      'ab12',
      'cd34',
    ]);
  });

  test('equals a sum by hand over paths of any blocks', () => {
    fc.assert(
      fc.property(fc.array(arbitraryBlock({ instants: true }), { maxLength: 3 }), (blocks) => {
        const byHand = new Map([...foldedByHand(blocks)].filter(([, value]) => value !== 0));
        expect(foldedOfTree(build(blocks))).toEqual(byHand);
      }),
      { numRuns: 150 },
    );
  });

  test('root total is the sum of samples, and self values add up to it', () => {
    const range = fc.option(fc.record({ fromMs: fc.integer({ min: -1, max: 6 }), length: fc.nat(6) }));
    fc.assert(
      fc.property(arbitraryBlock({ instants: true }), range, fc.nat(20), (block, cut, maxNodes) => {
        const fromMs = TEST_TIME_MS + (cut?.fromMs ?? 0);
        const timeRange = cut ? { fromMs, toMs: fromMs + cut.length } : undefined;
        const layout = layoutFlameTree(build([block], { timeRange }).tree, { maxNodes });
        const sum = plainSum(block, timeRange);
        expect(layout.total).toBe(sum);
        expect(layout.table.total[0]).toBe(sum);
        const self = layout.table.self.reduce((a, b) => a + b, 0);
        expect(self + layout.prunedValue).toBe(sum);
        expect(layout.table.prunedNodes.reduce((a, b) => a + b, 0)).toBe(layout.prunedNodes);
        expect(layout.table.length).toBeLessThanOrEqual(Math.max(1, maxNodes));
      }),
      { numRuns: 200 },
    );
  });

  test('does not depend on the order of blocks, nor on how they are merged', () => {
    const groupBy = fc.subarray(['service_name', 'zone', 'host_name']);
    const input = fc.tuple(arbitraryBlock({ instants: true }), arbitraryBlock(), arbitraryBlock());
    fc.assert(
      fc.property(input, groupBy, fc.integer({ min: 1, max: 30 }), ([a, b, c], by, maxNodes) => {
        const table = (blocks: readonly Block[]): unknown => {
          const builder = build(blocks, { groupBy: by });
          const { builds, unnamed } = builder;
          return { ...layoutFlameTree(builder.tree, { maxNodes, builds }), unnamed };
        };
        const expected = table([a, b, c]);
        expect(table([c, a, b])).toEqual(expected);
        expect(table([b, mergeBlocks([c, a])])).toEqual(expected);
        const whole = build([a], { groupBy: by });
        whole.addBuilder(build([b, c], { groupBy: by }));
        const { builds, unnamed } = whole;
        expect({ ...layoutFlameTree(whole.tree, { maxNodes, builds }), unnamed }).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  test('a pruned table is the full one without its narrowest nodes', () => {
    fc.assert(
      fc.property(arbitraryBlock({ instants: true }), fc.integer({ min: 1, max: 12 }), (block, maxNodes) => {
        const { tree } = build([block]);
        const full = layoutFlameTree(tree).table;
        const pruned = layoutFlameTree(tree, { maxNodes }).table;
        expect(rows(full)).toEqual(expect.arrayContaining(rows(pruned)));
        expect(pruned.length).toBe(Math.min(maxNodes, full.length));
        expect(everything(layoutFlameTree(tree, { maxNodes: full.length }).table)).toEqual(everything(full));
      }),
      { numRuns: 100 },
    );
  });
});

describe('top functions', () => {
  test('count recursion once and leave labels out', () => {
    const block = blockFromText('main;fib;fib;fib 10\nmain;fib;print 5\nmain 1', {
      labels: { service_name: 'api' },
    });
    const { functions, total } = topFunctions(build([block], { groupBy: ['service_name'] }).tree, 100);
    expect(functions.map(({ name, self, total: all }) => [name, self, all])).toEqual([
      ['fib', 10, 15],
      ['print', 5, 5],
      ['main', 1, 16],
    ]);
    expect(total).toBe(16);
  });

  test('state what the limit left out', () => {
    const block = blockFromText('a 10\nb 5\nc 3\nd 1');
    const top = topFunctions(build([block]).tree, 2);
    expect(top.functions.map(({ name }) => name)).toEqual(['a', 'b']);
    expect([top.omittedFunctions, top.omittedSelf]).toEqual([2, 4]);
  });

  test('have self values that add up to the total, and totals as counted by hand', () => {
    fc.assert(
      fc.property(arbitraryBlock({ instants: true }), fc.integer({ min: 0, max: 5 }), (block, limit) => {
        const { tree } = build([block]);
        const top = topFunctions(tree, limit);
        const self = top.functions.reduce((sum, fn) => sum + fn.self, 0);
        expect(self + top.omittedSelf + top.emptySelf).toBe(top.total);
        expect(top.total).toBe(plainSum(block));
        const byHand = new Map<string, number>();
        const functionOf = functionsByHand(block);
        for (const [path, value] of foldedByHand([block])) {
          for (const frame of new Set(path.split(' → ').map((part) => functionOf(part))))
            byHand.set(frame, (byHand.get(frame) ?? 0) + value);
        }
        const totals = topFunctions(tree, 1000).functions.map((fn) => fn.total);
        byHand.delete('');
        const expected = [...byHand.values()].filter((value) => value !== 0);
        expect(Float64Array.from(totals.filter((value) => value !== 0)).sort()).toEqual(
          Float64Array.from(expected).sort(),
        );
      }),
      { numRuns: 150 },
    );
  });
});
