/**
 * Profiles laid out as tools for other languages lay them out, written by pprof-format. The tools
 * themselves are not in the registries that tests may use; what is particular to each is here: names
 * with semicolons, negative lines, ids that are hashes, label keys with spaces, no period, no mapping.
 */
import { Function, Label, Line, Location, Profile, Sample, StringTable, ValueType } from 'pprof-format';
import { expect, test } from 'vitest';
import { encodeFolded } from '../folded/encode-folded.ts';
import { decodePprof } from './decode-pprof.ts';
import { encodePprof } from './encode-pprof.ts';
import { readProfile } from './testing/read-profile.ts';

interface Layout {
  readonly types: readonly (readonly [type: string, unit: string])[];
  readonly period?: readonly [type: string, unit: string, every: number];
  /** Ids are counted, or hashes of 64 bits. */
  readonly hashedIds?: boolean;
  /** Frames leaf first as name:line, values, labels (numbers are numeric labels). */
  readonly samples: readonly (readonly [
    frames: readonly string[],
    values: readonly number[],
    labels: Readonly<Record<string, string | number>>,
  ])[];
}

function write({ types, period, hashedIds, samples }: Layout): Uint8Array {
  const stringTable = new StringTable();
  const text = (it: string): number => stringTable.dedup(it);
  const functions = new Map<string, Function>();
  const locations = new Map<string, Location>();
  const id = (row: number): number | bigint =>
    hashedIds === true ? BigInt.asUintN(64, BigInt(row) * 0x9e37_79b9_7f4a_7c15n) : row;
  const location = (frame: string): number | bigint => {
    const [, name = '', line = ''] = /^(.*):(-?\d+)$/.exec(frame) ?? [];
    let fn = functions.get(name);
    if (fn === undefined) {
      fn = new Function({
        id: id(functions.size + 1),
        name: text(name),
        filename: text('app'),
        startLine: 1,
      });
      functions.set(name, fn);
    }
    let row = locations.get(frame);
    if (row === undefined) {
      const lines = [new Line({ functionId: fn.id, line: BigInt.asUintN(64, BigInt(line)) })];
      row = new Location({ id: id(locations.size + 1), line: lines });
      locations.set(frame, row);
    }
    return row.id;
  };
  const valueType = ([type, unit]: readonly [string, string]): ValueType =>
    new ValueType({ type: text(type), unit: text(unit) });
  const sample = samples.map(
    ([frames, value, labels]) =>
      new Sample({
        locationId: frames.map((frame) => location(frame)),
        value: [...value],
        label: Object.entries(labels).map(
          ([key, it]) =>
            new Label(
              typeof it === 'string'
                ? { key: text(key), str: text(it) }
                : { key: text(key), num: BigInt(it) },
            ),
        ),
      }),
  );
  const profile = new Profile({
    sampleType: types.map((it) => valueType(it)),
    sample,
    location: [...locations.values()],
    function: [...functions.values()],
    stringTable,
    timeNanos: 1_700_000_000_000_000_000n,
    ...(period === undefined ? {} : { periodType: valueType([period[0], period[1]]), period: period[2] }),
  });
  return profile.encode();
}

const JAVA: Layout = {
  types: [['cpu', 'nanoseconds']],
  period: ['cpu', 'nanoseconds', 10_000_000],
  samples: [
    [
      ['java/lang/Object.hashCode()I:-2', 'app.Main.lambda$main$0([Ljava/lang/String;)V:17'],
      [30_000_000],
      { thread: 'main' },
    ],
    [['jshort_disjoint_arraycopy:0', 'app.Main.run()V:-1'], [10_000_000], { thread: 'pool-1' }],
  ],
};

const PYTHON: Layout = {
  types: [
    ['cpu-time', 'nanoseconds'],
    ['cpu-samples', 'count'],
    ['alloc-space', 'bytes'],
  ],
  hashedIds: true,
  samples: [
    [
      ['<listcomp>:7', 'handle:5', '<module>:99'],
      [9_000_000, 1, 0],
      { 'thread name': 'MainThread', 'thread id': 140_735_000_000_001, 'span id': 7 },
    ],
    [
      ['handle:6', '<module>:99'],
      [0, 0, 4096],
      { 'thread name': 'MainThread', 'thread id': 140_735_000_000_001 },
    ],
  ],
};

const RUBY: Layout = {
  types: [
    ['wall', 'nanoseconds'],
    ['samples', 'count'],
  ],
  period: ['wall', 'nanoseconds', 1_000_000],
  samples: [
    [
      ['block in Api::V1::UsersController#index:12', 'Array#each:0', '<main>:1'],
      [5_000_000, 5],
      { 'ractor id': 1 },
    ],
    [['<main>:1'], [1_000_000, 1], {}],
  ],
};

test.each([
  ['Java (names with semicolons, negative lines)', JAVA, ['process_cpu:cpu:nanoseconds:cpu:nanoseconds']],
  [
    'Python (ids that are hashes, no period, numeric thread ids)',
    PYTHON,
    ['cpu-time:cpu-time:nanoseconds::', 'cpu-samples:cpu-samples:count::', 'alloc-space:alloc-space:bytes::'],
  ],
  [
    'Ruby (block names, wall time)',
    RUBY,
    ['wall:wall:nanoseconds:wall:nanoseconds', 'wall:samples:count:wall:nanoseconds'],
  ],
])(
  'a profile laid out as for %s goes in and out with its totals, labels and stacks',
  (_language, layout, types) => {
    const original = write(layout);
    const before = readProfile(original);
    const { block, totals } = decodePprof(original, { labels: { service_name: 'api' } });
    expect([...totals.keys()]).toEqual(types);
    expect([...totals.values()].map((total) => BigInt(total))).toEqual(before.totals);
    for (const [index, type] of types.entries()) {
      const after = readProfile(encodePprof(block, { profileType: type }));
      expect(after.totals).toEqual([before.totals[index]]);
      expect(after.period).toBe(before.period);
      const expected = Object.entries(before.totalsByLabels)
        .map(([labels, sums]) => [labels, [sums[index]]] as const)
        .filter(([, [sum]]) => sum !== 0n);
      const found = Object.entries(after.totalsByLabels).map(
        ([labels, sums]) => [withoutService(labels), sums] as const,
      );
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
    }
  },
);

test('semicolons of Java names are colons in folded text', () => {
  const { block } = decodePprof(write(JAVA));
  expect(encodeFolded(block, { profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds' })).toBe(
    [
      'app.Main.lambda$main$0([Ljava/lang/String:)V;java/lang/Object.hashCode()I 30000000',
      'app.Main.run()V;jshort_disjoint_arraycopy 10000000',
      '',
    ].join('\n'),
  );
});

function withoutService(labels: string): string {
  return labels
    .split(',')
    .filter((label) => label !== 'service_name=api')
    .join(',');
}
