import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { validateBlock } from '../../block/validate-block.ts';
import { FleetflameError } from '../../errors.ts';
import { describeBlock } from '../../testing/index.ts';
import { decodePprof } from './decode-pprof.ts';
import type { DecodePprofOptions } from './decode-pprof.ts';
import type { PprofLimits } from './limits.ts';
import { NUMERIC_LABELS } from './numeric-labels.ts';
import { bytes, int, rawProfile, varint } from './testing/raw-profile.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

function refusal(profile: Uint8Array, options?: DecodePprofOptions): FleetflameError {
  try {
    decodePprof(profile, options);
  } catch (error) {
    if (error instanceof FleetflameError) return error;
    throw error;
  }
  throw new Error('the profile was accepted');
}

/** Labels of each series as JSON. */
function labels(profile: Uint8Array, options?: DecodePprofOptions): unknown[] {
  const { block } = decodePprof(profile, options);
  return describeBlock(block)
    .slice(1)
    .map((line) => JSON.parse(/\{.*?\}(?= )/.exec(line.replace(/^\S+ \S+ /, ''))?.[0] ?? 'null'));
}

/** By kind: how often, and the first. */
function changesOf(profile: Uint8Array, options?: DecodePprofOptions): Record<string, unknown> {
  const { changes } = decodePprof(profile, options);
  return Object.fromEntries(changes.map(({ what, count, example }) => [what, [count, example]]));
}

/** A profile with one sample that has these labels. */
function withLabels(...sampleLabels: number[][]): Uint8Array {
  return rawProfile({
    sample: bytes(2, bytes(2, varint(1)), ...sampleLabels.map((label) => bytes(3, label))),
  });
}

function sampleOf(...parts: number[][]): { sample: number[] } {
  return { sample: bytes(2, ...parts) };
}

describe('a valid profile', () => {
  test('becomes a block with its labels, lines, addresses, mapping, period and time', () => {
    const { block, totals, timeMs, durationMs } = decodePprof(rawProfile());
    validateBlock(block);
    expect(describeBlock(block)).toEqual([
      'time 1700000000000 1700000000001',
      `${CPU} 10000000 {"route":"/a"} "app"[ab12,native]+0x1000(["main","main","main.c",5,7]);` +
        '"app"[ab12,native]+0x2000(["handle","handle","main.c",0,9]) = 30: 1700000000000 30',
    ]);
    expect([...totals]).toEqual([[CPU, 30]]);
    expect(timeMs).toBe(1_700_000_000_000);
    expect(durationMs).toBe(10_000);
  });

  test('may be gzip, in several members, and says the same', () => {
    const plain = rawProfile();
    const split = Buffer.concat([gzipSync(plain.subarray(0, 50)), gzipSync(plain.subarray(50))]);
    expect(describeBlock(decodePprof(gzipSync(plain)).block)).toEqual(
      describeBlock(decodePprof(plain).block),
    );
    expect(describeBlock(decodePprof(split).block)).toEqual(describeBlock(decodePprof(plain).block));
  });

  test('gets the time of the request, and its labels win over those of samples', () => {
    const { block, timeMs } = decodePprof(rawProfile(), {
      timeMs: 1_600_000_000_123,
      labels: { service_name: 'api', route: '/b' },
    });
    expect(timeMs).toBe(1_600_000_000_123);
    expect(describeBlock(block)[0]).toBe('time 1600000000123 1600000000124');
    expect(labels(rawProfile(), { labels: { service_name: 'api', route: '/b' } })).toEqual([
      { route: '/b', service_name: 'api' },
    ]);
  });

  test('may have its fields in any order, numbers unpacked, and messages split', () => {
    const sample = bytes(2, bytes(2, varint(30)), int(1, 2), bytes(3, int(2, 7), int(1, 6)), int(1, 1));
    const reordered = rawProfile({
      sampleType: [],
      sample,
      periodType: [],
      more: [...bytes(1, int(2, 2), int(1, 1)), ...bytes(11, int(2, 2)), ...bytes(11, int(1, 1))],
    });
    expect(describeBlock(decodePprof(reordered).block)).toEqual(
      describeBlock(decodePprof(rawProfile()).block),
    );
  });

  test('may have fields that are not known, even groups', () => {
    const group = [...varint((100 << 3) | 3), ...int(1, 5), ...varint((100 << 3) | 4)];
    const unknown = [...int(99, 7), ...bytes(98, 'x'), ...group, ...varint((97 << 3) | 5), 1, 2, 3, 4];
    const fixed64 = [...varint((96 << 3) | 1), 1, 2, 3, 4, 5, 6, 7, 8];
    const sample = bytes(2, unknown, bytes(1, varint(2), varint(1)), bytes(2, varint(30)), fixed64);
    const expected = rawProfile({ sample: bytes(2, bytes(1, varint(2), varint(1)), bytes(2, varint(30))) });
    expect(describeBlock(decodePprof(rawProfile({ sample, more: [...unknown, ...fixed64] })).block)).toEqual(
      describeBlock(decodePprof(expected).block),
    );
  });

  test('may have ids of 64 bits', () => {
    const id = 0xffff_ffff_ffff_fffen;
    const { totals } = decodePprof(
      rawProfile({
        mapping: bytes(3, int(1, id)),
        function: bytes(5, int(1, id), int(2, 3)),
        location: bytes(4, int(1, id), int(2, id), bytes(4, int(1, id))),
        sample: bytes(2, bytes(1, varint(id)), bytes(2, varint(30))),
      }),
    );
    expect(totals.get(CPU)).toBe(30);
  });

  test('may have samples without locations and negative values', () => {
    const sample = [...bytes(2, bytes(2, varint(5))), ...bytes(2, bytes(1, varint(1)), bytes(2, varint(-7)))];
    const { totals, block } = decodePprof(rawProfile({ sample }));
    expect(totals.get(CPU)).toBe(-2);
    expect(describeBlock(block)).toHaveLength(3);
  });

  test('without samples gives an empty block and totals of 0', () => {
    const { totals, block } = decodePprof(rawProfile({ sample: [] }));
    expect(block.samples.length).toBe(0);
    expect([...totals]).toEqual([[CPU, 0]]);
  });

  test('keeps inlined calls innermost first', () => {
    const location = bytes(4, int(1, 1), bytes(4, int(1, 2), int(2, 1)), bytes(4, int(1, 1), int(2, 2)));
    const sample = bytes(2, bytes(1, varint(1)), bytes(2, varint(3)));
    const { block } = decodePprof(rawProfile({ location, sample }));
    expect(describeBlock(block)[1]).toMatch(/handle.*main/);
  });

  test('negative line numbers, which JVM tools write, are unknown', () => {
    const location = bytes(4, int(1, 1), bytes(4, int(1, 1), int(2, -2)));
    const sample = bytes(2, bytes(1, varint(1)), bytes(2, varint(3)));
    expect([...decodePprof(rawProfile({ location, sample })).block.locations.lineNumber]).toEqual([0]);
  });
});

describe('sample types and period types', () => {
  test.each([
    ['cpu', 'nanoseconds', 'cpu', 'nanoseconds', 'process_cpu:cpu:nanoseconds:cpu:nanoseconds'],
    ['samples', 'count', 'cpu', 'nanoseconds', 'process_cpu:samples:count:cpu:nanoseconds'],
    ['alloc_space', 'bytes', 'space', 'bytes', 'memory:alloc_space:bytes:space:bytes'],
    ['objects', 'count', 'space', 'bytes', 'memory:objects:count:space:bytes'],
    ['inuse_objects', 'count', '', '', 'memory:inuse_objects:count::'],
    ['wall', 'nanoseconds', 'wall', 'nanoseconds', 'wall:wall:nanoseconds:wall:nanoseconds'],
    ['delay', 'nanoseconds', 'contentions', 'count', 'contentions:delay:nanoseconds:contentions:count'],
    ['goroutine', 'count', 'goroutine', 'count', 'goroutine:goroutine:count:goroutine:count'],
    ['events', '', '', '', 'events:events:::'],
  ])('%s/%s of %s/%s is %s', (type, unit, periodType, periodUnit, id) => {
    const strings = ['', type, unit, periodType, periodUnit].flatMap((text) => bytes(6, text));
    const profile = rawProfile({
      strings,
      mapping: [],
      function: [],
      location: bytes(4, int(1, 1)),
      sample: bytes(2, bytes(1, varint(1)), bytes(2, varint(3))),
      periodType: bytes(11, int(1, 3), int(2, 4)),
    });
    expect([...decodePprof(profile).totals]).toEqual([[id, 3]]);
  });

  test('each sample type gets its own series and total', () => {
    const sampleType = [...bytes(1, int(1, 1), int(2, 2)), ...bytes(1, int(1, 8), int(2, 8))];
    const sample = bytes(2, bytes(1, varint(1)), bytes(2, varint(30), varint(4)));
    expect([...decodePprof(rawProfile({ sampleType, sample })).totals]).toEqual([
      [CPU, 30],
      ['process_cpu:bytes:bytes:cpu:nanoseconds', 4],
    ]);
  });
});

describe('labels', () => {
  test('numbers are kept as decimal text, with their unit aside', () => {
    const profile = withLabels(
      [...int(1, 8), ...int(3, 1024), ...int(4, 8)],
      [...int(1, 6), ...int(3, -(2n ** 63n))],
      [...int(1, 9), ...int(2, 7)],
    );
    expect(labels(profile)).toEqual([
      {
        app: '/a',
        bytes: '1024',
        route: '-9223372036854775808',
        [NUMERIC_LABELS]: '{"bytes":"bytes","route":""}',
      },
    ]);
    expect(labels(profile, { labels: { route: 'x' } })).toEqual([
      { app: '/a', bytes: '1024', route: 'x', [NUMERIC_LABELS]: '{"bytes":"bytes"}' },
    ]);
  });

  test('one with neither string nor number is none, and one given twice alike counts once', () => {
    expect(labels(withLabels([...int(1, 6)]))).toEqual([{}]);
    expect(labels(withLabels([...int(1, 6), ...int(2, 7)], [...int(1, 6), ...int(2, 7)]))).toEqual([
      { route: '/a' },
    ]);
  });

  test('one named like a property of objects is kept', () => {
    const strings = ['', 'cpu', 'nanoseconds', '__proto__', 'x'].flatMap((text) => bytes(6, text));
    const { block } = decodePprof(
      rawProfile({
        strings,
        mapping: [],
        location: [],
        function: [],
        sample: bytes(2, bytes(2, varint(1)), bytes(3, int(1, 3), int(2, 4))),
      }),
    );
    expect(block.strings).toContain('__proto__');
  });

  test('given twice with different values keeps both, and says so', () => {
    const [route, app, size] = [6, 9, 8];
    expect(labels(withLabels([...int(1, route), ...int(2, 7)], [...int(1, route), ...int(2, 8)]))).toEqual([
      { route: '/a,bytes' },
    ]);
    // Numbers of one unit stay numbers; a text beside a number, and numbers of two units, do not.
    expect(labels(withLabels([...int(1, size), ...int(3, 1)], [...int(1, size), ...int(3, 2)]))).toEqual([
      { bytes: '1,2', [NUMERIC_LABELS]: '{"bytes":""}' },
    ]);
    const mixed = withLabels(
      [...int(1, size), ...int(3, 1), ...int(4, size)],
      [...int(1, size), ...int(3, 1), ...int(4, app)],
      [...int(1, route), ...int(2, 7), ...int(3, 5)],
    );
    expect(labels(mixed)).toEqual([{ bytes: '1 bytes,1 app', route: '/a,5' }]);
    expect(changesOf(mixed)).toEqual({ label_joined: [2, 'bytes=1 bytes,1 app'] });
  });

  test('without a name, with our name, too many or too long are kept as far as they go', () => {
    const named = withLabels([...int(2, 7)], [...int(1, 6), ...int(2, 99)]);
    expect(labels(named)).toEqual([{}]);
    expect(changesOf(named)).toMatchObject({
      label_left_out: [1, 'a label without a name: /a'],
      string_missing: [1, 'sample[0].label[1].str is string 99 of a table of 11'],
    });
    const strings = ['', 'cpu', 'nanoseconds', NUMERIC_LABELS, 'x'.repeat(300)].flatMap((text) =>
      bytes(6, text),
    );
    const ours = rawProfile({
      strings,
      mapping: [],
      location: [],
      function: [],
      sample: bytes(2, bytes(2, varint(1)), bytes(3, int(1, 3), int(2, 1)), bytes(3, int(1, 4), int(2, 1))),
    });
    expect(labels(ours)).toEqual([{ [`exported_${NUMERIC_LABELS}`]: 'cpu', [`${'x'.repeat(255)}…`]: 'cpu' }]);
    expect(Object.keys(changesOf(ours))).toEqual(['location_missing', 'label_renamed', 'label_cut'].slice(1));
    const many = withLabels(...Array.from({ length: 70 }, () => [...int(1, 6), ...int(2, 7)]));
    expect(changesOf(many)).toEqual({ label_left_out: [6, 'sample[0].label[64]: more than 64 labels'] });
  });

  test('with a value of its own for each sample are left out when they would be too many series', () => {
    const sample = Array.from({ length: 50 }, (_, i) =>
      bytes(2, bytes(2, varint(2)), bytes(3, int(1, 6), int(3, i + 1)), bytes(3, int(1, 9), int(2, 7))),
    ).flat();
    const { block, totals, changes } = decodePprof(rawProfile({ sample }), { limits: { series: 20 } });
    expect(totals.get(CPU)).toBe(100);
    expect(describeBlock(block).slice(1)).toEqual([`${CPU} 10000000 {"app":"/a"}  = 100: 1700000000000 100`]);
    expect(changes).toEqual([{ what: 'label_left_out', count: 50, example: 'route: too many values' }]);
  });
});

describe('what is broken is refused with the field', () => {
  const locations = bytes(1, varint(1));
  const value = bytes(2, varint(1));
  test.each<[string, string, Parameters<typeof rawProfile>[0]]>([
    [
      'sample[0].location_id',
      'encoded as fixed32 instead of length-delimited',
      sampleOf([0x0d, 1, 2, 3, 4], value),
    ],
    ['sample[0].location_id[0]', 'cut off', sampleOf(bytes(1, [0x80]), value)],
    [
      'sample[0].location_id[0]',
      'more than 64 bits',
      sampleOf(bytes(1, [...Array<number>(9).fill(0xff), 2]), value),
    ],
    ['sample[0].label[0]', 'says it has 9 bytes, but 0 are left', sampleOf(locations, value, [0x1a, 9])],
    ['sample[0]', 'a field with number 0', sampleOf(locations, value, [0, 0])],
    ['sample[0]', 'end of group, which is not legal', sampleOf(locations, value, [...varint((9 << 3) | 4)])],
    ['sample[0]', 'cut off', sampleOf(locations, value, [...varint((9 << 3) | 1), 1, 2])],
    ['sample[0]', 'nested more than 32 deep', sampleOf(Array<number>(40).fill((9 << 3) | 3))],
    ['sample[0]', 'encoded as varint instead of length-delimited', { sample: int(2, 5) }],
    ['mapping[0].memory_start', 'instead of varint', { mapping: bytes(3, int(1, 1), bytes(2, [1])) }],
    ['string_table', 'no string table', { strings: [] }],
    [
      'string_table',
      '4 texts are not among its 6 strings',
      { strings: ['', 'cpu', 'nanoseconds', 'main', 'handle', 'main.c'].flatMap((text) => bytes(6, text)) },
    ],
    ['sample_type', 'there is none', { sampleType: [] }],
    ['sample_type[0].unit', 'string 99 of a table of 11', { sampleType: bytes(1, int(1, 1), int(2, 99)) }],
    ['time_nanos', 'instead of varint', { timeNanos: bytes(9, [1]) }],
    ['time_nanos', 'has no time (time_nanos): say when it was taken', { timeNanos: [] }],
    ['time_nanos', 'before 1970', { timeNanos: int(9, -5) }],
  ])('%s: %s', (field, message, parts) => {
    const error = refusal(rawProfile(parts));
    expect(error).toMatchObject({ code: 'invalid_input', field });
    expect(error.message).toContain(message);
  });

  test('no bytes, other files and broken gzip', () => {
    expect(refusal(new Uint8Array()).message).toContain('empty');
    expect(refusal(new TextEncoder().encode('main;handle 12\n')).code).toBe('invalid_input');
    expect(refusal(gzipSync(rawProfile()).subarray(0, 60)).message).toMatch(/cannot be read.*gzip/);
    expect(refusal(rawProfile(), { timeMs: 1.5 }).field).toBe('time_ms');
  });

  test('a profile cut anywhere is refused, or has lost whole fields at its end', () => {
    const whole = rawProfile();
    const accepted: number[] = [];
    for (let end = 1; end < whole.length; end++) {
      try {
        decodePprof(whole.subarray(0, end), { timeMs: 1 });
        accepted.push(end);
      } catch (error) {
        if (!(error instanceof FleetflameError)) throw error;
      }
    }
    // Behind the strings there are time, duration, period type and period.
    // Four more: without the last strings, up to three of which may be missing.
    expect(accepted).toHaveLength(8);
  });
});

describe('limits', () => {
  const deep = bytes(2, bytes(1, varint(1), varint(2)), bytes(2, varint(1)));
  test.each<[keyof PprofLimits, number, Parameters<typeof rawProfile>[0]]>([
    ['compressedBytes', 10, {}],
    ['sampleTypes', 0, {}],
    ['samples', 0, {}],
    ['points', 0, {}],
    ['stacks', 1, { sample: deep }],
    ['locations', 1, {}],
    ['functions', 1, {}],
    ['mappings', 0, {}],
    ['strings', 10, {}],
    ['series', 0, {}],
  ])('%s', (limit, most, parts) => {
    const error = refusal(rawProfile(parts), { limits: { [limit]: most } });
    expect(error.code).toBe('limit_exceeded');
    expect(error.message).toContain(`(limit ${limit})`);
    expect(() => decodePprof(rawProfile(parts), { limits: { [limit]: 4096 } })).not.toThrow();
  });

  test('inflatedBytes stops a gzip bomb', () => {
    const bomb = gzipSync(new Uint8Array(8 << 20));
    expect(bomb.length).toBeLessThan(16_384);
    const error = refusal(bomb, { limits: { inflatedBytes: 1 << 20 } });
    expect(error).toMatchObject({ code: 'limit_exceeded', field: 'profile' });
    expect(error.message).toContain('(limit inflatedBytes)');
  });

  test('the label sets of samples without values count as series, too', () => {
    const sample = [1, 2, 3].flatMap((num) =>
      bytes(2, bytes(2, varint(0)), bytes(3, int(1, 6), int(3, num))),
    );
    expect(changesOf(rawProfile({ sample }), { limits: { series: 2 } })).toHaveProperty('label_left_out');
  });
});
