import { expect, test } from 'vitest';
import { BlockBuilder } from '../block/block-builder.ts';
import { mergeRows } from '../block/batch-rows.ts';
import { InternedTables } from '../block/tables/interned-tables.ts';
import { describeBlock, TEST_TIME_MS as T } from '../testing/index.ts';
import { kindOfType } from './kind-of-type.ts';
import { withMeaning } from './with-meaning.ts';

function rows(profileType: string, value: number) {
  const builder = new BlockBuilder(new InternedTables());
  builder.add(builder.series(profileType, 1, { service_name: 'api' }), 0, T, value);
  return builder.rows();
}

test.each([
  ['goroutine:goroutine:count:goroutine:count', 0, 'gauge'],
  ['memory:inuse_space:bytes:space:bytes', 0, 'gauge'],
  ['memory:space:bytes:space:bytes', 0, 'gauge'],
  ['memory:alloc_space:bytes:space:bytes', 0, 'cumulative'],
  ['memory:alloc_space:bytes:space:bytes', 10_000, 'rate'],
  ['contentions:delay:nanoseconds:contentions:count', 0, 'cumulative'],
  ['process_cpu:cpu:nanoseconds:cpu:nanoseconds', 10_000, 'rate'],
  ['wall:wall:nanoseconds:wall:nanoseconds', 0, 'rate'],
  ['whatever:it:is::', 0, 'rate'],
])('%s over %i ms is a %s', (type, durationMs, kind) => {
  expect(kindOfType(type, durationMs)).toBe(kind);
});

test('series get the kind of their type, or the one that was said, and the profile', () => {
  const goroutines = rows('goroutine:goroutine:count:goroutine:count', 100);
  const described = (kind?: 'rate' | 'cumulative') =>
    describeBlock(mergeRows([withMeaning(goroutines, { timeMs: T, durationMs: 0, kind })]));
  expect(described().join('\n')).toMatch(
    /"api"} gauge .* 100[^]*gauge: \d+\+0 x1|gauge: \d+\+0 x1[^]*"api"} gauge/,
  );
  expect(described('cumulative').join('\n')).toContain('cumulative');
  expect(described('rate').join('\n')).not.toMatch(/gauge|profiles/);
});

test('of a file whose samples have times, a gauge is one snapshot, and a rate is not spread', () => {
  const builder = new BlockBuilder(new InternedTables());
  const series = builder.series('native_method:samples:count::', 1, { service_name: 'api' });
  builder.add(series, 0, T, 3);
  builder.add(series, 0, T + 2000, 4);
  const described = (kind?: 'gauge') =>
    describeBlock(mergeRows([withMeaning(builder.rows(), { timeMs: T, durationMs: 0, kind })]));
  expect(described()).toContainEqual(expect.stringMatching(new RegExp(`= 7: ${T} 3, ${T + 2000} 4$`)));
  expect(described('gauge')).toContainEqual(expect.stringMatching(new RegExp(`gauge .*= 7: ${T} 7$`)));
  expect(described('gauge')).toContainEqual(expect.stringMatching(/gauge: \d+\+0 x1$/));
});

test('a profile of an hour is divided into four that add up', () => {
  const hour = withMeaning(rows('process_cpu:cpu:nanoseconds:cpu:nanoseconds', 4_000_000_003), {
    timeMs: T,
    durationMs: 3_600_000,
  });
  const block = mergeRows([hour]);
  expect([...block.samples.total]).toEqual([4_000_000_003]);
  expect([...block.samples.time]).toEqual([0, 900_000, 1_800_000, 2_700_000]);
  expect([...block.series.profileDuration]).toEqual([900_000, 900_000, 900_000, 900_000]);
});
