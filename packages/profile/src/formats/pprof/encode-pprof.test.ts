import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockBuilder } from '../../block/block-builder.ts';
import type { Block } from '../../block/block.ts';
import { parseProfileType } from '../../profile-type/profile-type.ts';
import {
  arbitraryBlock,
  blockFromText,
  describeBlock,
  TEST_PROFILE_TYPE as CPU,
} from '../../testing/index.ts';
import { decodePprof } from './decode-pprof.ts';
import { encodePprof } from './encode-pprof.ts';
import { NUMERIC_LABELS } from './numeric-labels.ts';
import { readProfile } from './testing/read-profile.ts';

/** Two hosts with the same stacks, at different times. */
function fleet(): Block {
  const builder = new BlockBuilder();
  const stack = (...names: string[]): number =>
    names.reduce((parent, name) => {
      const fn = builder.function(builder.string(name), builder.string(`_${name}`), builder.string('a.c'), 3);
      return builder.stack(parent, builder.location(0, 0, 0, [fn, 12]));
    }, 0);
  const series = (host_name: string, bytes: string): number =>
    builder.series(CPU, 10_000_000, {
      service_name: 'api',
      host_name,
      bytes,
      [NUMERIC_LABELS]: '{"bytes":"kb"}',
    });
  builder.add(series('a', '5'), stack('main', 'parse'), 1_700_000_000_000, 30);
  builder.add(series('a', '5'), stack('main', 'parse'), 1_700_000_010_000, 12);
  builder.add(series('b', '7'), stack('main', 'parse'), 1_700_000_000_000, 1);
  builder.add(series('b', '7'), stack('main'), 1_700_000_000_000, 2);
  return builder.build();
}

describe('encodePprof', () => {
  test('an independent reader finds the sums over time, with labels, period and time', () => {
    const profile = readProfile(encodePprof(fleet(), { profileType: CPU }));
    expect(profile).toEqual({
      sampleTypes: ['cpu/nanoseconds'],
      periodType: 'cpu/nanoseconds',
      period: 10_000_000n,
      timeNanos: 1_700_000_000_000_000_000n,
      durationNanos: 10_001_000_000n,
      totals: [45n],
      totalsByLabels: {
        'bytes=5 kb,host_name=a,service_name=api': [42n],
        'bytes=7 kb,host_name=b,service_name=api': [3n],
      },
      stacks: [
        'bytes=5 kb,host_name=a,service_name=api parse;main 42',
        'bytes=7 kb,host_name=b,service_name=api main 2',
        'bytes=7 kb,host_name=b,service_name=api parse;main 1',
      ],
      mappings: [],
    });
  });

  test('with group-by only these labels are kept and samples that become equal are summed', () => {
    const options = { profileType: CPU, groupBy: ['service_name'] };
    expect(readProfile(encodePprof(fleet(), options)).stacks).toEqual([
      'service_name=api main 2',
      'service_name=api parse;main 43',
    ]);
    const bytes = readProfile(encodePprof(fleet(), { ...options, groupBy: ['bytes'] }));
    expect(bytes.totalsByLabels).toEqual({ 'bytes=5 kb': [42n], 'bytes=7 kb': [3n] });
    const none = readProfile(encodePprof(fleet(), { ...options, groupBy: ['absent'] }));
    expect(none.totalsByLabels).toEqual({ '': [45n] });
  });

  test('the time range is what the caller says', () => {
    const { timeNanos, durationNanos } = readProfile(
      encodePprof(fleet(), { profileType: CPU, fromMs: 1_600_000_000_000, toMs: 1_600_000_060_000 }),
    );
    expect([timeNanos, durationNanos]).toEqual([1_600_000_000_000_000_000n, 60_000_000_000n]);
  });

  test('periods that differ are unknown', () => {
    const builder = new BlockBuilder();
    builder.add(builder.series(CPU, 10, { a: 'x' }), 0, 5, 1);
    builder.add(builder.series(CPU, 20, { a: 'y' }), 0, 5, 1);
    expect(readProfile(encodePprof(builder.build(), { profileType: CPU })).period).toBe(0n);
  });

  test('mappings cover the pages of their locations and say whether symbols are missing', () => {
    const builder = new BlockBuilder();
    const string = (text: string): number => builder.string(text);
    const fn = builder.function(string('f'), 0, 0, 0);
    const libc = builder.mapping(string('/lib/libc.so.6'), string('ab12'), 'native');
    const kernel = builder.mapping(string('[kernel]'), 0, 'kernel');
    let stack = builder.stack(0, builder.location(libc, 0x1234, 0, []));
    stack = builder.stack(stack, builder.location(libc, 0x5fff, 0, []));
    stack = builder.stack(stack, builder.location(kernel, 0xffff_f000, 0xffff_ffff, [fn, 1, fn, 2]));
    builder.add(builder.series(CPU, 1, {}), stack, 5, 3);
    const file = encodePprof(builder.build(), { profileType: CPU });
    expect(readProfile(file).mappings.toSorted()).toEqual([
      '/lib/libc.so.6 ab12 1000-6000-1000',
      '[kernel]  fffffffffffff000-ffffffffffffffff-fffffffffffff000 functions inline',
    ]);
    expect(describeBlock(decodePprof(file).block)).toEqual(
      describeBlock(decodePprof(encodePprof(decodePprof(file).block, { profileType: CPU })).block),
    );
  });

  test('large and negative values are exact', () => {
    const builder = new BlockBuilder();
    const values = [2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 32, -(2 ** 32), -1, 127, 128];
    for (const [row, value] of values.entries()) {
      builder.add(builder.series(CPU, 1, { row: String(row) }), 0, 5, value);
    }
    const { totalsByLabels } = readProfile(encodePprof(builder.build(), { profileType: CPU }));
    expect(values.map((_, row) => totalsByLabels[`row=${row}`])).toEqual(
      values.map((value) => [BigInt(value)]),
    );
  });

  test('a numeric label that a pprof number cannot hold stays text', () => {
    const builder = new BlockBuilder();
    const units = '{"a":"","b":"","c":"","gone":""}';
    const labels = { a: '9223372036854775808', b: '01', c: '-9223372036854775808', [NUMERIC_LABELS]: units };
    builder.add(builder.series(CPU, 1, labels), 0, 5, 1);
    const file = encodePprof(builder.build(), { profileType: CPU });
    expect(Object.keys(readProfile(file).totalsByLabels)).toEqual([
      'a=9223372036854775808,b=01,c=-9223372036854775808',
    ]);
    const again = decodePprof(file).block;
    expect(again.strings).toContain('{"c":""}');
  });

  test('without compression it is the same message', () => {
    const plain = encodePprof(fleet(), { profileType: CPU, compress: false });
    expect(plain[0]).toBe(0x0a);
    expect(readProfile(plain)).toEqual(readProfile(encodePprof(fleet(), { profileType: CPU })));
  });

  test('a profile type that the block does not have gives a valid profile without samples', () => {
    const file = encodePprof(fleet(), { profileType: 'memory:alloc_space:bytes:space:bytes' });
    expect(readProfile(file).stacks).toEqual([]);
    expect([...decodePprof(file).totals]).toEqual([['memory:alloc_space:bytes:space:bytes', 0]]);
    expect(() => encodePprof(fleet(), { profileType: 'cpu' })).toThrow(/not a profile type/);
  });

  test('long names and deep stacks need longer lengths and arrive whole', () => {
    const name = 'ö'.repeat(20_000);
    const text = `${Array.from({ length: 3000 }, (_, depth) => `${name.slice(0, depth % 40)}f${depth}`).join(';')} 7`;
    const block = blockFromText(`${name};a 5\n${text}`);
    const again = decodePprof(encodePprof(block, { profileType: CPU })).block;
    expect(describeBlock(again)).toEqual(describeBlock(block));
  });
});

describe('encodePprof and decodePprof', () => {
  test('keep totals, labels and stacks of any block, and encoding again gives the same bytes', () => {
    fc.assert(
      fc.property(arbitraryBlock({ instants: true }), (block) => {
        for (const type of new Set([...block.series.profileType].map((it) => block.strings.at(it)))) {
          const file = encodePprof(block, { profileType: type, compress: false });
          const decoded = decodePprof(file);
          expect(stackSums(decoded.block, type)).toEqual(stackSums(block, type));
          expect(readProfile(file).totals).toEqual([BigInt(decoded.totals.get(type) ?? 0)]);
          const time = { fromMs: block.timeStartMs, toMs: block.timeEndMs };
          const again = encodePprof(decoded.block, { profileType: type, compress: false, ...time });
          const parsed = parseProfileType(type);
          expect(readProfile(again).sampleTypes).toEqual([`${parsed.sampleType}/${parsed.sampleUnit}`]);
          const stable = encodePprof(decodePprof(again).block, {
            profileType: type,
            compress: false,
            ...time,
          });
          expect(Buffer.from(stable).equals(Buffer.from(again))).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** By labels and stack, the sum; sums of 0 left out. pprof has no place for the kind of a mapping. */
function stackSums(block: Block, type: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const line of describeBlock(block)) {
    if (!line.startsWith(`${type} `)) continue;
    const [, key = '', total = ''] = /^\S+ \S+ (.*) = (\S+): /.exec(line) ?? [];
    const known = key
      .replaceAll(/,(?:unknown|native|kernel|jit|interpreted|vdso|native_offset)\]/g, ']')
      .replaceAll(/""\[\]\+0x0\(([^()]+)\)/g, '$1');
    sums[known] = (sums[known] ?? 0) + Number(total);
  }
  return Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0));
}
