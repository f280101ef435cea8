import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { validateBlock } from '../../block/validate-block.ts';
import { describeBlock } from '../../testing/index.ts';
import { encodeFolded } from '../folded/encode-folded.ts';
import { decodePprof } from './decode-pprof.ts';
import { encodePprof } from './encode-pprof.ts';
import type { DecodePprofOptions } from './decode-pprof.ts';
import { bytes, int, rawProfile, varint } from './testing/raw-profile.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

/** By kind: how often, and the first. */
function changesOf(profile: Uint8Array, options?: DecodePprofOptions): Record<string, unknown> {
  const { changes } = decodePprof(profile, options);
  return Object.fromEntries(changes.map(({ what, count, example }) => [what, [count, example]]));
}

/** Names of the frames of the only stack, outermost first. */
function frames(profile: Uint8Array, options?: DecodePprofOptions): string[] {
  const { block } = decodePprof(profile, options);
  const text = encodeFolded(block, { profileType: CPU });
  return text.slice(0, text.lastIndexOf(' ')).split(';');
}

function sampleOf(...parts: number[][]): { sample: number[] } {
  return { sample: bytes(2, ...parts) };
}

const recursion = (depth: number) =>
  rawProfile({
    sample: bytes(2, bytes(1, varint(2), Array<number>(depth - 1).fill(1)), bytes(2, varint(30))),
  });

/** app mapped at `start` from `offset`, with code at two places. */
const mapped = (start: number, offset: number, ...addresses: number[]) =>
  rawProfile({
    mapping: bytes(
      3,
      int(1, 1),
      int(2, start),
      int(3, start + 0x4000),
      int(4, offset),
      int(5, 9),
      int(6, 10),
    ),
    function: [],
    location: addresses.flatMap((address, i) => bytes(4, int(1, i + 1), int(2, 1), int(3, address))),
    sample: bytes(2, bytes(1, varint(1), varint(2)), bytes(2, varint(30))),
  });

describe('one odd value costs nothing else', () => {
  const locations = bytes(1, varint(1));
  const value = bytes(2, varint(1));
  const total = 2n ** 61n;
  test.each<[string, Parameters<typeof rawProfile>[0], Record<string, [number, string]>]>([
    [
      'a location that is missing',
      sampleOf(bytes(1, varint(1), varint(77)), value),
      { location_missing: [1, 'location 77'] },
    ],
    ['location id 0', sampleOf(bytes(1, varint(0)), value), { location_missing: [1, 'location 0'] }],
    [
      'more values than types',
      sampleOf(locations, bytes(2, [1, 9])),
      { value_left_out: [1, 'sample[0].value[1]: 9'] },
    ],
    [
      'no values',
      sampleOf(locations),
      { value_missing: [1, 'sample[0].value: 0 of 1'], no_samples: [1, ''] },
    ],
    [
      'a value beyond 2^53',
      sampleOf(locations, bytes(2, varint(2n ** 53n + 1n))),
      { value_inexact: [2, 'sample[0].value[0]: 9007199254740993'] },
    ],
    [
      'a value beyond 2^60',
      sampleOf(locations, bytes(2, varint(total))),
      {
        value_capped: [1, `sample[0].value[0]: ${total}`],
        value_inexact: [1, `the sum of ${CPU} is ${2 ** 60}`],
      },
    ],
    [
      'a mapping that is missing',
      { location: bytes(4, int(1, 1), int(2, 9)), sample: sampleOf(locations, value).sample },
      { mapping_missing: [1, 'location[0].mapping_id: mapping 9'] },
    ],
    [
      'an id twice',
      {
        location: [...bytes(4, int(1, 1), int(2, 1)), ...bytes(4, int(1, 1))],
        sample: sampleOf(locations, value).sample,
      },
      { id_repeated: [1, 'location[1] has the id of location[0]'] },
    ],
    [
      'a function that is missing, and a line without one',
      {
        location: bytes(4, int(1, 1), bytes(4, int(1, 9)), bytes(4, int(2, 9))),
        sample: sampleOf(locations, value).sample,
      },
      { function_missing: [2, 'location[0].line[0]: function 9'] },
    ],
    [
      'a line beyond 32 bits',
      {
        location: bytes(4, int(1, 1), bytes(4, int(1, 1), int(2, 2 ** 32))),
        sample: sampleOf(locations, value).sample,
      },
      { line_unknown: [1, 'location[0].line[0].line: 4294967296'] },
    ],
    [
      'strings that are missing',
      {
        function: [...bytes(5, int(1, 1), int(2, 99)), ...bytes(5, int(1, 2), int(4, -1))],
        mapping: bytes(3, int(1, 1), int(6, 99)),
      },
      { string_missing: [3, 'mapping[0].build_id is string 99 of a table of 11'] },
    ],
    [
      'a first string that is not empty',
      {
        strings: ['x', ...'cpu nanoseconds main handle main.c route /a bytes app ab12'.split(' ')].flatMap(
          (t) => bytes(6, t),
        ),
      },
      { string_missing: [1, 'string 0 must be empty, it is x'] },
    ],
    ['a comment that is missing', { more: bytes(13, [1, 99]) }, {}],
    ['a negative period', { period: int(12, -1) }, { period_unknown: [1, '-1'] }],
    ['a huge period', { period: int(12, 2n ** 62n) }, { period_unknown: [1, `${2n ** 62n}`] }],
    ['a negative duration', { durationNanos: int(10, -5) }, { duration_unknown: [1, '-5'] }],
    [
      'text that is not UTF-8',
      { more: bytes(6, [0xe9, 0x61, 0xed, 0xa0, 0x80, 0xc3, 0xa9]) },
      { text_not_utf8: [1, '\\xe9a\\xed\\xa0\\x80é'] },
    ],
  ])('%s', (_, parts, changes) => {
    const profile = rawProfile(parts);
    const { block } = decodePprof(profile);
    validateBlock(block);
    expect(changesOf(profile)).toEqual(changes);
  });

  test('names in other encodings stay apart', () => {
    const strings = ['', 'cpu', 'nanoseconds'].flatMap((text) => bytes(6, text));
    const latin = [...strings, ...bytes(6, [0x63, 0x61, 0x66, 0xe9]), ...bytes(6, [0x63, 0x61, 0x66, 0xe8])];
    const profile = rawProfile({
      strings: latin,
      mapping: [],
      function: [...bytes(5, int(1, 1), int(2, 3)), ...bytes(5, int(1, 2), int(2, 4))],
      sample: bytes(2, bytes(1, varint(2), varint(1)), bytes(2, varint(30))),
      location: [...bytes(4, int(1, 1), bytes(4, int(1, 1))), ...bytes(4, int(1, 2), bytes(4, int(1, 2)))],
    });
    expect(frames(profile)).toEqual(['caf\\xe9', 'caf\\xe8']);
  });

  test('columns of lines are kept', () => {
    const location = [
      ...bytes(4, int(1, 1), bytes(4, int(1, 2), int(2, 1)), bytes(4, int(1, 1), int(2, 2), int(3, 17))),
      ...bytes(4, int(1, 2), bytes(4, int(1, 1), int(2, 9), int(3, -1))),
    ];
    const { block } = decodePprof(rawProfile({ location }));
    expect(block.locations.lineColumn.toSorted()).toEqual(Uint32Array.of(0, 0, 17));
    const again = decodePprof(encodePprof(block, { profileType: CPU })).block;
    expect(describeBlock(again)[1]).toBe(describeBlock(block)[1]);
    expect(describeBlock(again)[1]).toContain('2,17]');
  });

  test('changes of labels are counted by sample, however many types and equal label sets there are', () => {
    const labels = [7, 8].map((value) => bytes(3, int(1, 6), int(2, value)));
    const sample = bytes(2, bytes(2, [1, 2]), ...labels);
    const sampleType = [...bytes(1, int(1, 1), int(2, 2)), ...bytes(1, int(1, 8), int(2, 8))];
    const profile = rawProfile({ sampleType, sample: [...sample, ...sample, ...bytes(2, bytes(2, [1, 2]))] });
    expect(changesOf(profile)).toEqual({ label_joined: [2, 'route=/a,bytes'] });
  });

  test('ids that count from 0', () => {
    const profile = rawProfile({
      mapping: bytes(3, int(5, 9), int(6, 10)),
      function: bytes(5, int(2, 3)),
      location: [...bytes(4, int(3, 0x1000), bytes(4, int(2, 7))), ...bytes(4, int(1, 1), int(3, 0x2000))],
      sample: bytes(2, bytes(1, varint(1), varint(0)), bytes(2, varint(30))),
    });
    expect(frames(profile)).toEqual(['main', 'app+0x2000']);
    expect(changesOf(profile)).toEqual({});
  });

  test('sample types without a name, named twice, with a colon', () => {
    const sampleType = [
      ...bytes(1, int(1, 1), int(2, 2)),
      ...bytes(1, int(1, 1), int(2, 2)),
      ...bytes(1, int(2, 2)),
      ...bytes(1, int(1, 11)),
    ];
    const sample = bytes(2, bytes(1, varint(1)), bytes(2, [1, 2, 3, 4]));
    const profile = rawProfile({ sampleType, sample, more: bytes(6, 'a:b') });
    expect([...decodePprof(profile).totals]).toEqual([
      [CPU, 1],
      ['process_cpu:cpu_2:nanoseconds:cpu:nanoseconds', 2],
      ['process_cpu:unnamed:nanoseconds:cpu:nanoseconds', 3],
      ['process_cpu:a_b::cpu:nanoseconds', 4],
    ]);
    expect(Object.keys(changesOf(profile))).toEqual(['sample_type_renamed']);
  });

  test('no time: that of arrival, where there is one', () => {
    const profile = rawProfile({ timeNanos: [] });
    expect(decodePprof(profile, { arrivalMs: 1_700_000_000_001 }).timeMs).toBe(1_700_000_000_001);
    expect(changesOf(profile, { arrivalMs: 5 })).toEqual({ time_missing: [1, 'the profile has no time'] });
    expect(changesOf(profile, { arrivalMs: 5, timeMs: 6 })).toEqual({});
  });

  test('bytes behind the gzip data, and gzip around gzip', () => {
    const plain = rawProfile();
    const expected = describeBlock(decodePprof(plain).block);
    const trailing = Buffer.concat([gzipSync(plain), Buffer.from('garbage')]);
    expect(describeBlock(decodePprof(trailing).block)).toEqual(expected);
    expect(changesOf(trailing)).toEqual({ trailing_bytes: [7, '7 bytes'] });
    expect(describeBlock(decodePprof(gzipSync(gzipSync(plain))).block)).toEqual(expected);
    for (const [padding, count] of [
      ['\n', 1],
      ['\r\n', 2],
      ['\0\0\0\0\0', 5],
    ] as const) {
      const padded = Buffer.concat([plain, Buffer.from(padding)]);
      expect(describeBlock(decodePprof(padded).block)).toEqual(expected);
      expect(changesOf(padded)).toEqual({ trailing_bytes: [count, `${count} bytes`] });
    }
    const split = Buffer.concat([
      zstdCompressSync(plain.subarray(0, 50)),
      zstdCompressSync(plain.subarray(50)),
    ]);
    expect(describeBlock(decodePprof(split).block)).toEqual(expected);
    expect(changesOf(zstdCompressSync(gzipSync(plain)))).toEqual({});
  });
});

describe('stacks that are too deep', () => {
  test('of 10,001 frames are kept', () => {
    expect(frames(recursion(10_001))).toHaveLength(10_001);
    expect(changesOf(recursion(10_001))).toEqual({});
  });

  test('are cut in the middle, with a marker that counts', () => {
    const found = frames(recursion(20_001));
    expect(found).toHaveLength(16_384);
    expect(found.at(-1)).toBe('handle');
    expect(new Set(found)).toEqual(new Set(['main', 'handle', '[3618 frames left out]']));
    expect(found.indexOf('[3618 frames left out]')).toBe(8_191);
    expect(changesOf(recursion(20_001))).toEqual({ stack_cut: [1, 'sample[0]: 20001 frames'] });
  });

  test.each([
    [1, ['[4 frames left out]']],
    [2, ['[3 frames left out]', 'handle']],
    [3, ['main', '[2 frames left out]', 'handle']],
  ])('with a limit of %i', (stackDepth, expected) => {
    expect(frames(recursion(4), { limits: { stackDepth } })).toEqual(expected);
  });
});

describe('addresses', () => {
  test('of position-independent code are the same in every process', () => {
    for (const start of [0x55d0_0000_1000, 0x5611_2340_1000, 0x7f00_0000_0000, 0xffff_8000_0000]) {
      expect(frames(mapped(start, 0x1000, start + 0x234, start + 0x1000))).toEqual([
        'app+0x2000',
        'app+0x1234',
      ]);
    }
  });

  test('of programs at a fixed address, normalised ones and those outside stay', () => {
    expect(frames(mapped(0x400000, 0, 0x401234, 0x402000))).toEqual(['app+0x402000', 'app+0x401234']);
    expect(frames(mapped(0x401000, 0x1000, 0x401234, 0x402000))).toEqual(['app+0x402000', 'app+0x401234']);
    expect(frames(mapped(0x55d0_0000_1000, 0x1000, 0x1234, 0x55d0_0000_5000))).toEqual([
      'app+0x55d000005000',
      'app+0x1234',
    ]);
    expect(frames(mapped(0, 0, 0x1234, 0x2000))).toEqual(['app+0x2000', 'app+0x1234']);
  });
});

test('where the beginning of a file is mapped, addresses are counted from it', () => {
  const start = 0x55d0_0000_0000;
  const mapping = (id: number, at: number, offset: number): number[] =>
    bytes(
      3,
      int(1, id),
      int(2, start + at),
      int(3, start + at + 0x1000),
      int(4, offset),
      int(5, 9),
      int(6, 10),
    );
  const profile = rawProfile({
    // As lld links: code at 0x3000, which is 0x1000 in the file.
    mapping: [...mapping(1, 0x3000, 0x1000), ...mapping(2, 0, 0)],
    function: [],
    location: bytes(4, int(1, 1), int(2, 1), int(3, start + 0x3234)),
    sample: bytes(2, bytes(1, varint(1)), bytes(2, varint(30))),
  });
  expect(frames(profile)).toEqual(['app+0x3234']);
});

describe('drop_frames', () => {
  const NAMES = [
    '',
    'cpu',
    'nanoseconds',
    'main',
    'app::run(int)',
    'malloc',
    'tcmalloc::Allocate(unsigned long)',
    'keep_malloc',
    '(anonymous namespace)::wrapper(char)',
  ];
  /** A stack of these names, outermost first, with drop_frames and keep_frames. */
  const dropping = (stack: number[], drop: string, keep = ''): Uint8Array =>
    rawProfile({
      strings: [...NAMES, drop, keep].flatMap((text) => bytes(6, text)),
      mapping: [],
      function: NAMES.flatMap((_, i) => (i < 3 ? [] : bytes(5, int(1, i), int(2, i)))),
      location: NAMES.flatMap((_, i) => (i < 3 ? [] : bytes(4, int(1, i), int(3, i), bytes(4, int(1, i))))),
      sample: bytes(2, bytes(1, ...stack.toReversed().map((id) => varint(id))), bytes(2, varint(30))),
      more: [...int(7, NAMES.length), ...int(8, NAMES.length + 1)],
    });

  test('removes what matches whole, with all that it calls', () => {
    const drop = dropping([3, 4, 6, 5], 'malloc|tcmalloc::.*');
    expect(frames(drop)).toEqual(['main', 'app::run(int)']);
    expect(changesOf(drop)).toEqual({ frames_dropped: [1, 'sample[0]'] });
    // Part of a name is no match, and arguments do not count.
    expect(frames(dropping([3, 4, 7], 'malloc'))).toHaveLength(3);
    expect(frames(dropping([3, 8, 5], '\\(anonymous namespace\\)::wrapper'))).toEqual(['main']);
  });

  test('leaves what keep_frames matches, and outermost frames that match', () => {
    expect(frames(dropping([3, 7, 4], '.*malloc', 'keep_.*'))).toHaveLength(3);
    expect(frames(dropping([5, 4, 6], 'malloc|tcmalloc::.*'))).toEqual(['malloc', 'app::run(int)']);
    expect(frames(dropping([5, 5], 'malloc'))).toHaveLength(2);
  });

  test('cuts inlined calls at one address', () => {
    const profile = rawProfile({
      strings: [...NAMES, 'malloc'].flatMap((text) => bytes(6, text)),
      mapping: [],
      function: NAMES.flatMap((_, i) => (i < 3 ? [] : bytes(5, int(1, i), int(2, i)))),
      location: [
        ...bytes(4, int(1, 1), bytes(4, int(1, 5)), bytes(4, int(1, 4))),
        ...bytes(4, int(1, 2), bytes(4, int(1, 3))),
      ],
      sample: bytes(2, bytes(1, varint(1), varint(2)), bytes(2, varint(30))),
      more: int(7, NAMES.length),
    });
    expect(frames(profile)).toEqual(['main', 'app::run(int)']);
  });

  test.each([['('], ['a{1000}'.repeat(20)], ['x'.repeat(9000)], ['\\pL'.repeat(300)]])(
    'that cannot be applied changes nothing: %s',
    (drop) => {
      expect(frames(dropping([3, 5], drop))).toEqual(['main', 'malloc']);
      expect(Object.keys(changesOf(dropping([3, 5], drop)))).toEqual(['drop_frames_ignored']);
    },
  );
});

test('who pushes may name the profile, which keeps mutex and block apart', () => {
  const profile = rawProfile({
    sampleType: bytes(1, int(1, 11), int(2, 2)),
    periodType: bytes(11, int(1, 12), int(2, 13)),
    more: ['delay', 'contentions', 'count'].flatMap((text) => bytes(6, text)),
  });
  expect([...decodePprof(profile, { name: 'mutex' }).totals.keys()]).toEqual([
    'mutex:delay:nanoseconds:contentions:count',
  ]);
  expect(changesOf(profile, { name: 'mutex' })).not.toHaveProperty('name_unknown');
  expect(changesOf(profile)).toHaveProperty('name_unknown');
});
