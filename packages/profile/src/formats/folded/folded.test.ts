import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockBuilder } from '../../block/block-builder.ts';
import type { Block } from '../../block/block.ts';
import { validateBlock } from '../../block/validate-block.ts';
import { arbitraryBlock, describeBlock } from '../../testing/index.ts';
import { decodeFolded } from './decode-folded.ts';
import { encodeFolded } from './encode-folded.ts';
import { FOLDED_LIMITS } from './limits.ts';

const CPU = 'process_cpu:samples:count:cpu:nanoseconds';
const OPTIONS = { profileType: CPU, timeMs: 1_700_000_000_000, labels: { service_name: 'api' } };

function folded(block: Block, groupBy: readonly string[] = []): string {
  return encodeFolded(block, { profileType: CPU, groupBy });
}

describe('decodeFolded', () => {
  test('reads stacks with counts, comments, blank lines and any line ends', () => {
    const block = decodeFolded(
      '# from perf\n\nmain;handle request;parse 30\r\nmain;handle request 12\n  main 1  \n#\n#define;x 2\nmain\t3\nmain 1',
      OPTIONS,
    );
    validateBlock(block);
    expect(describeBlock(block).slice(1)).toEqual([
      `${CPU} 0 {"service_name":"api"} ["#define","","",0,0];x = 2: 1700000000000 2`,
      `${CPU} 0 {"service_name":"api"} main = 5: 1700000000000 5`,
      `${CPU} 0 {"service_name":"api"} main;handle request = 12: 1700000000000 12`,
      `${CPU} 0 {"service_name":"api"} main;handle request;parse = 30: 1700000000000 30`,
    ]);
  });

  test('no lines give an empty block', () => {
    expect(decodeFolded('# nothing\n', OPTIONS).samples.length).toBe(0);
  });

  test.each([
    ['main', 1, 'it must end with a whole number after a space, not "main"'],
    ['a 1\nmain;handle 1.5', 2, 'not "1.5"'],
    ['a 1\n\n# c\n12', 4, 'there is no stack before the count'],
    ['a;;b 1', 1, 'frame 2 is empty'],
    [';a 1', 1, 'frame 1 is empty'],
    ['a; 1', 1, 'frame 2 is empty'],
    ['a 9007199254740992', 1, 'larger than 2^53'],
    ['a\ud800 1', 1, 'frame 1 is not valid Unicode'],
  ])('%j is refused in line %i', (text, line, message) => {
    expect(() => decodeFolded(text, OPTIONS)).toThrow(
      expect.objectContaining({
        code: 'invalid_input',
        field: `line ${line}`,
        message: expect.stringContaining(message),
      }),
    );
  });

  test.each([
    ['stackDepth', `${'a;'.repeat(FOLDED_LIMITS.stackDepth)}a 1`],
    ['frameLength', `${'a'.repeat(FOLDED_LIMITS.frameLength + 1)} 1`],
    ['lines', '\n'.repeat(FOLDED_LIMITS.lines + 1)],
    ['textLength', ' '.repeat(FOLDED_LIMITS.textLength + 1)],
  ])('the limit %s is named', (limit, text) => {
    expect(() => decodeFolded(text, OPTIONS)).toThrow(
      expect.objectContaining({
        code: 'limit_exceeded',
        message: expect.stringContaining(`(limit ${limit})`),
      }),
    );
  });

  test('the profile type must be whole', () => {
    expect(() => decodeFolded('a 1', { ...OPTIONS, profileType: 'cpu' })).toThrow(/not a profile type/);
  });
});

describe('encodeFolded', () => {
  test('lines are sorted, inlined calls are frames, and what has no name is binary+0xaddress', () => {
    const builder = new BlockBuilder();
    const fn = (name: string): number => builder.function(builder.string(name), 0, 0, 0);
    const libc = builder.mapping(builder.string('/lib/libc.so.6'), builder.string('ab12'), 'native');
    const series = builder.series(CPU, 0, {});
    const main = builder.stack(0, builder.location(libc, 16, 0, [fn('inlined'), 1, fn('main'), 2]));
    builder.add(series, builder.stack(main, builder.location(libc, 0x4f2, 1, [])), 1, 5);
    builder.add(series, builder.stack(main, builder.location(libc, 0x20, 0, [fn(''), 3])), 1, 4);
    builder.add(series, builder.stack(main, builder.location(0, 0x30, 0, [])), 1, 3);
    builder.add(
      series,
      builder.stack(0, builder.location(0, 0, 0, [fn('(Ljava/lang/String;)\nV'), 3])),
      1,
      2,
    );
    builder.add(series, builder.stack(0, builder.location(0, 0, 0, [fn('# a'), 3])), 1, 1);
    builder.add(series, 0, 1, 7);
    builder.add(builder.series('memory:space:bytes::', 0, {}), main, 1, 100);
    expect(folded(builder.build())).toBe(
      [
        '#_ a 1',
        '(Ljava/lang/String:) V 2',
        '[no frames] 7',
        'main;inlined;[unknown]+0x30 3',
        'main;inlined;libc.so.6+0x1000004f2 5',
        'main;inlined;libc.so.6+0x20 4',
        '',
      ].join('\n'),
    );
  });

  test('group-by labels are the first frames, and stacks of equal names are one line', () => {
    const builder = new BlockBuilder();
    for (const [row, labels] of [{ a: 'x', b: '1' }, { a: 'x', b: '2' }, { b: '3' }].entries()) {
      const fn = builder.function(builder.string('main'), 0, 0, row);
      builder.add(
        builder.series(CPU, 0, labels),
        builder.stack(0, builder.location(0, row, 0, [fn, row])),
        row,
        1,
      );
    }
    const block = builder.build();
    expect(folded(block)).toBe('main 3\n');
    expect(folded(block, ['a'])).toBe('(no a);main 1\nx;main 2\n');
    expect(folded(block, ['b', 'a'])).toBe('1;x;main 1\n2;x;main 1\n3;(no a);main 1\n');
  });

  test('a block without such samples is no text', () => {
    expect(encodeFolded(decodeFolded('a 1', OPTIONS), { profileType: 'memory:space:bytes::' })).toBe('');
  });
});

describe('decodeFolded and encodeFolded', () => {
  const frame = fc.oneof(
    fc.constantFrom('main', 'handle request', '#x', 'größe', '0', '12', 'std::map<int, long>::at(int&)'),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
  );
  const written = frame
    .map((name) => name.replaceAll(';', ':').replaceAll(/\s+/g, ' ').trim())
    .filter((name) => name !== '' && name !== '#');
  const line = fc.tuple(
    fc.array(written, { minLength: 1, maxLength: 5 }),
    fc.integer({ min: 1, max: 2 ** 40 }),
  );

  test('text that was written comes back the same', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const text = lines.map(([frames, value]) => `${frames.join(';')} ${value}`).join('\n');
        const once = folded(decodeFolded(text, OPTIONS));
        expect(folded(decodeFolded(once, OPTIONS))).toBe(once);
        expect(sum(once)).toBe(lines.reduce((total, [, value]) => total + value, 0));
      }),
    );
  });

  test('any block keeps its total', () => {
    fc.assert(
      fc.property(
        arbitraryBlock({ instants: true }),
        fc.subarray(['service_name', 'a']),
        (block, groupBy) => {
          const profileType = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
          const text = encodeFolded(block, { profileType, groupBy });
          let total = 0;
          for (let row = 0; row < block.samples.length; row++) {
            const type = block.series.profileType[block.samples.series[row] ?? 0] ?? 0;
            if (block.strings.at(type) === profileType) total += block.samples.total[row] ?? 0;
          }
          expect(sum(text)).toBe(total);
          const again = encodeFolded(decodeFolded(text, { profileType, timeMs: 5 }), { profileType });
          expect(again).toBe(text);
        },
      ),
    );
  });
});

function sum(text: string): number {
  return text.split('\n').reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
