import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { describeBlock } from '../testing/index.ts';
import { BlockBuilder } from './block-builder.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

describe('BlockBuilder', () => {
  test('gives the same row the same index', () => {
    const builder = new BlockBuilder();
    const file = builder.string('/bin/api');
    const mapping = builder.mapping(file, 0, 'native');
    expect(builder.mapping(file, 0, 'native')).toBe(mapping);
    const location = builder.location(mapping, 16, 0, []);
    expect(builder.location(mapping, 16, 0, [])).toBe(location);
    expect(builder.location(mapping, 16, 1, [])).not.toBe(location);
    const stack = builder.stack(0, location);
    expect(stack).not.toBe(0);
    expect(builder.stack(0, location)).toBe(stack);
    expect(builder.series(CPU, 1, { a: '1', b: '2' })).toBe(
      builder.series(CPU, 1, { b: '2', a: '1', c: '' }),
    );
  });

  test('orders series by profile type, service name, labels and period', () => {
    const builder = new BlockBuilder();
    const add = (type: string, period: number, labels: Record<string, string>): void =>
      builder.add(builder.series(type, period, labels), 0, 0, 1);
    add('b', 1, {});
    add('a', 2 ** 40, { service_name: 'x' });
    add('a', 7, { service_name: 'x' });
    add('a', 1, { service_name: 'y', a: '0' });
    add('a', 1, { service_name: '\u{1f525}' });
    add('a', 1, { service_name: '\uff5e' });
    add('a', 1, { service_name: 'x', a: '1' });
    add('a', 1, { zone: '1' });
    const series = describeBlock(builder.build());
    const block = builder.build();
    expect(series.length).toBe(9);
    const rows = Array.from({ length: block.series.length }, (_, row) => {
      const labels = [];
      for (let i = block.series.labelStart[row]!; i < block.series.labelStart[row + 1]!; i++) {
        labels.push(
          `${block.strings.at(block.series.labelName[i]!)}=${block.strings.at(block.series.labelValue[i]!)}`,
        );
      }
      return `${block.strings.at(block.series.profileType[row]!)} ${labels.join()} ${block.series.period[row]}`;
    });
    expect(rows).toEqual([
      'a zone=1 1',
      'a a=1,service_name=x 1',
      'a service_name=x 7',
      'a service_name=x 1099511627776',
      'a a=0,service_name=y 1',
      'a service_name=\uff5e 1',
      'a service_name=\u{1f525} 1',
      'b  1',
    ]);
  });

  test('sorts and sums points added in any order', () => {
    const point = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: -5, max: 5 }));
    fc.assert(
      fc.property(fc.array(point, { maxLength: 80 }), (points) => {
        const builder = new BlockBuilder();
        const series = builder.series(CPU, 1, {});
        const expected = new Map<number, number>();
        for (const [time, value] of points) {
          builder.add(series, 0, time, value);
          if (value !== 0) expected.set(time, (expected.get(time) ?? 0) + value);
        }
        const { samples, timeStartMs } = builder.build();
        const actual = Array.from(samples.time, (time, i) => [timeStartMs + time, samples.value[i]]);
        expect(actual).toEqual([...expected].sort((a, b) => a[0] - b[0]));
      }),
    );
  });

  test('keeps tens of thousands of distinct rows apart', () => {
    const builder = new BlockBuilder();
    const series = builder.series(CPU, 1, {});
    let stack = 0;
    for (let i = 0; i < 30_000; i++) {
      if (i % 100 === 0) stack = 0;
      stack = builder.stack(stack, builder.location(0, i, 0, []));
      builder.add(series, stack, i, i + 1);
    }
    const block = builder.build();
    expect(block.samples.length).toBe(30_000);
    expect(block.locations.length).toBe(30_000);
    expect(block.samples.total.reduce((a, b) => a + b, 0)).toBe((30_000 * 30_001) / 2);
  });

  test('replaces half surrogate pairs, which have no UTF-8 form', () => {
    const builder = new BlockBuilder();
    expect(builder.string('a\ud800')).toBe(builder.string('a\ufffd'));
  });

  test.each([
    [0.5, 0],
    [Number.NaN, 0],
    [1, -1],
    [1, 0.5],
  ])('refuses value %d at time %d', (value, time) => {
    const builder = new BlockBuilder();
    expect(() => builder.add(builder.series(CPU, 1, {}), 0, time, value)).toThrow(/integer value/u);
  });
});
