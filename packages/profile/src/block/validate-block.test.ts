import { describe, expect, test } from 'vitest';

import { FleetflameError } from '../errors.ts';
import { blockFromText } from '../testing/index.ts';
import { MAPPING_KINDS, type Block } from './block.ts';
import { BlockBuilder } from './block-builder.ts';
import { mergeBlocks } from './merge-blocks.ts';
import { BLOCK_LIMITS } from './limits.ts';
import { StringTable } from './string-table.ts';
import { validateBlock } from './validate-block.ts';

/** Writable, so that a test can break it. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = {
  -readonly [K in keyof Block]: Block[K] extends StringTable
    ? StringTable
    : Block[K] extends { length: number }
      ? Writable<Block[K]>
      : Block[K];
};

function draft(): Draft {
  const { strings, ...tables } = mergeBlocks([
    blockFromText('main;parse 30\nmain;parse 1 @+5\nmain;write 12', {
      labels: { service_name: 'a', z: '1' },
    }),
    blockFromText('main 1', { labels: { service_name: 'b' } }),
  ]);
  return { ...structuredClone(tables), strings: StringTable.of(strings) };
}

function refusal(block: Block): FleetflameError {
  try {
    validateBlock(block);
  } catch (error) {
    if (error instanceof FleetflameError) return error;
  }
  throw new Error('the block was accepted');
}

describe('validateBlock', () => {
  test('accepts a merged block', () => {
    expect(() => validateBlock(draft())).not.toThrow();
  });

  test.each<[what: string, field: string, edit: (block: Draft) => void]>([
    ['a parent that is not an earlier row', 'stacks[2].parent', (b) => (b.stacks.parent[2] = 2)],
    ['a root with a parent', 'stacks[0]', (b) => (b.stacks.parent[0] = 1)],
    ['a location that is not there', 'stacks[1].location', (b) => (b.stacks.location[1] = 99)],
    ['a function that is not there', 'locations.lines.function[0]', (b) => (b.locations.lineFunction[0] = 9)],
    ['a mapping that is not there', 'locations.mapping[1]', (b) => (b.locations.mapping[1] = 1)],
    ['a string that is not there', 'functions.name[0]', (b) => (b.functions.name[0] = 999)],
    ['a kind that is not there', 'mappings.kind[0]', (b) => (b.mappings.kind[0] = MAPPING_KINDS.length)],
    ['row 0 of mappings in use', 'mappings[0]', (b) => (b.mappings.kind[0] = 1)],
    ['a first string that is not empty', 'strings[0]', (b) => (b.strings = StringTable.of(['x']))],
    ['a sum that is not the total', 'samples[0].total', (b) => (b.samples.total[0]! += 1)],
    ['a fraction', 'samples[0].values[0]', (b) => (b.samples.value[0] = 0.5)],
    ['times that do not ascend', 'samples[0].times[1]', (b) => (b.samples.time[1] = 0)],
    ['a time past the end', 'samples[0].times[1]', (b) => (b.samples.time[1] = 6)],
    ['a row without points', 'samples[0].times', (b) => (b.samples.pointStart[1] = 0)],
    ['samples out of order', 'samples[1]', (b) => (b.samples.stack[1] = 0)],
    ['a series that is not there', 'samples.series[2]', (b) => (b.samples.series[2] = 2)],
    ['a stack that is not there', 'samples.stack[2]', (b) => (b.samples.stack[2] = 77)],
    ['a negative period', 'series[0].period', (b) => (b.series.period[0] = -1)],
    ['series out of order', 'series[1]', (b) => b.series.labelValue.reverse()],
    ['labels out of order', 'series[0].labels[1]', (b) => b.series.labelName.subarray(0, 2).reverse()],
    ['a label without a value', 'series[0].labels[0]', (b) => (b.series.labelValue[0] = 0)],
    ['an end before the start', 'time_end_ms', (b) => (b.timeEndMs = 0)],
    ['offsets that fall', 'samples.times[1]', (b) => (b.samples.pointStart[1] = 4)],
    ['a column that is too short', 'functions.name', (b) => (b.functions.name = new Uint32Array(1))],
    ['a loss without a count', 'losses', (b) => (b.losses = new Map([['ring_full', 0]]))],
  ])('refuses %s', (_, field, edit) => {
    const block = draft();
    edit(block);
    const error = refusal(block);
    expect([error.code, error.field]).toEqual(['invalid_input', field]);
    expect(error.message).toContain(field);
  });

  test('refuses a stack deeper than the limit', () => {
    const builder = new BlockBuilder();
    const location = builder.location(0, 1, 0, []);
    let stack = 0;
    for (let i = 0; i <= BLOCK_LIMITS.stackDepth; i++) stack = builder.stack(stack, location);
    builder.add(builder.series('t', 1, {}), stack, 0, 1);
    const error = refusal(builder.build());
    expect(error.code).toBe('limit_exceeded');
    expect(error.message).toContain('stackDepth');
  });
});
