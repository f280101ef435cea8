/** Formats of other tools that are written: what they can hold comes back. */
import { testSeed } from '@fleetflame/testing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Block } from '../block/block.ts';
import { BlockBuilder } from '../block/block-builder.ts';
import { blockFromText } from '../testing/index.ts';
import { encodeCpuprofile } from './cpuprofile/encode-cpuprofile.ts';
import { decodeProfile } from './decode-profile.ts';
import { exportedFrames, pathOf } from './exported-frames.ts';
import { encodeSpeedscope } from './speedscope/encode-speedscope.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const T = 1_700_000_000_000;

/** Stacks of frames with their sums, by thread: what of a block both formats speak of. */
function stacksOf(block: Block, profileType: string): Record<string, number> {
  const sums: Record<string, number> = {};
  const { samples, series, strings } = block;
  for (let row = 0; row < samples.length; row++) {
    const own = samples.series[row]!;
    if (strings.at(series.profileType[own]!) !== profileType) continue;
    const labels: string[] = [];
    for (let at = series.labelStart[own]!; at < series.labelStart[own + 1]!; at++) {
      if (strings.at(series.labelName[at]!) === 'thread_name')
        labels.push(strings.at(series.labelValue[at]!));
    }
    const frames = pathOf(block, samples.stack[row]!).flatMap((location) =>
      exportedFrames(block, location).map(
        ({ name, file, line, column }) => `${name}@${file}:${line}:${column}`,
      ),
    );
    const key = [...labels, frames.join(';')].join(' | ');
    sums[key] = (sums[key] ?? 0) + samples.total[row]!;
  }
  return Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0));
}

const frame = fc.record({
  name: fc.oneof(fc.constantFrom('main', 'handle', 'a;b', 'naïve 火', ' '), fc.string({ minLength: 1 })),
  file: fc.constantFrom('', 'main.c', 'file:///x y.js'),
  line: fc.nat(5),
  column: fc.nat(3),
});
const rows = fc.array(
  fc.record({
    thread: fc.constantFrom('a', 'b'),
    // Several at one place are inlined into each other.
    stack: fc.array(fc.array(frame, { minLength: 1, maxLength: 2 }), { maxLength: 4 }),
    value: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2 ** 44 })),
  }),
  { maxLength: 12 },
);

function blockOf(
  input: readonly {
    thread: string;
    stack: readonly (readonly { name: string; file: string; line: number; column: number }[])[];
    value: number;
  }[],
  profileType: string,
): Block {
  const builder = new BlockBuilder();
  for (const { thread, stack, value } of input) {
    let at = 0;
    for (const place of stack) {
      const lines = place.flatMap(({ name, file, line }) => [
        builder.function(builder.string(name), 0, builder.string(file), line),
        line,
      ]);
      const columns = place.map(({ column }) => column);
      at = builder.stack(at, builder.location(0, 0, 0, lines, columns));
    }
    builder.add(builder.series(profileType, 1, { service_name: 'api', thread_name: thread }), at, T, value);
  }
  return builder.build();
}

const options = { timeMs: T, labels: { service_name: 'api' } };
const bytesOf = (text: string) => new TextEncoder().encode(text);

describe('speedscope', () => {
  test.each([
    [CPU, {}],
    ['memory:alloc_space:bytes:space:bytes', { type: 'alloc_space' }],
    ['process_cpu:samples:count:cpu:nanoseconds', {}],
  ])('stacks, places and sums of %s come back, by thread', (profileType, said) => {
    fc.assert(
      fc.property(rows, (input) => {
        const block = blockOf(input, profileType);
        const file = encodeSpeedscope(block, { profileType, groupBy: ['thread_name'] });
        const again = decodeProfile(bytesOf(file), { ...options, ...said }).block;
        const expected = stacksOf(block, profileType);
        const threads = new Set(input.map(({ thread }) => thread));
        // The name of the only one says nothing of threads.
        const shown = threads.size > 1 ? expected : withoutThread(expected);
        expect(stacksOf(again, profileType)).toEqual(shown);
      }),
      { seed: testSeed(), numRuns: 60 },
    );
  });

  test('is what speedscope reads: units, frames once, weights that add up', () => {
    const block = blockFromText('main;parse 30\nmain;write 12', { profileType: 'x:wall:minutes::' });
    expect(JSON.parse(encodeSpeedscope(block, { profileType: 'x:wall:minutes::' }))).toMatchObject({
      $schema: 'https://www.speedscope.app/file-format-schema.json',
      shared: { frames: [{ name: 'main' }, { name: 'parse' }, { name: 'write' }] },
      profiles: [
        {
          type: 'sampled',
          name: 'wall',
          unit: 'nanoseconds',
          endValue: 42 * 6e10,
          samples: [
            [0, 1],
            [0, 2],
          ],
          weights: [30 * 6e10, 12 * 6e10],
        },
      ],
    });
    expect(JSON.parse(encodeSpeedscope(block, { profileType: CPU }))).toMatchObject({
      profiles: [{ samples: [], weights: [] }],
    });
  });
});

describe('cpuprofile', () => {
  test.each([CPU, 'process_cpu:samples:count:cpu:nanoseconds'])(
    'functions, where they begin, and sums of %s come back, to the nanosecond',
    (profileType) => {
      fc.assert(
        fc.property(rows, (input) => {
          const named = input.map((row) => ({
            ...row,
            stack: row.stack.map((place) =>
              // Names that V8 has for itself mean something else.
              place.map((one) => ({ ...one, name: /^\((?:root|idle)\)$/.test(one.name) ? 'x' : one.name })),
            ),
          }));
          const block = blockOf(named, profileType);
          const again = decodeProfile(bytesOf(encodeCpuprofile(block, { profileType })), options).block;
          expect(stacksOf(again, profileType)).toEqual(withoutThread(stacksOf(block, profileType)));
        }),
        { seed: testSeed(), numRuns: 60 },
      );
    },
  );

  test('is what DevTools read: a tree from (root), samples of its nodes, lines from 0', () => {
    const file: unknown = JSON.parse(
      encodeCpuprofile(blockFromText('main;parse 30000\nmain 12000'), {
        profileType: CPU,
        groupBy: ['service_name'],
      }),
    );
    expect(file).toMatchObject({
      startTime: 0,
      endTime: 42,
      nodes: [
        { id: 1, callFrame: { functionName: '(root)' }, children: [2] },
        { id: 2, callFrame: { functionName: 'test', lineNumber: -1 } },
        { id: 3, callFrame: { functionName: 'main' } },
        { id: 4, callFrame: { functionName: 'parse' } },
      ],
      samples: [3, 4, 1],
      timeDeltas: [0, 12, 30],
    });
  });
});

function withoutThread(stacks: Readonly<Record<string, number>>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [key, value] of Object.entries(stacks)) {
    const rest = key.slice(key.indexOf(' | ') + 3);
    sums[rest] = (sums[rest] ?? 0) + value;
  }
  return sums;
}
