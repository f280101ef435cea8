import { describe, expect, test } from 'vitest';
import { formatProfileType, parseProfileType } from './profile-type.ts';
import { resolveProfileType } from './resolve-profile-type.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
const SPACE = 'memory:inuse_space:bytes:space:bytes';

describe('parseProfileType', () => {
  test('a profile type is taken apart and put together', () => {
    const type = parseProfileType(SPACE);
    expect(type).toEqual({
      name: 'memory',
      sampleType: 'inuse_space',
      sampleUnit: 'bytes',
      periodType: 'space',
      periodUnit: 'bytes',
    });
    expect(formatProfileType(type)).toBe(SPACE);
  });

  test('the period may be empty', () => {
    expect(parseProfileType('goroutine:goroutine:count::').periodType).toBe('');
  });

  test.each(['', 'cpu', 'a:b:c:d', 'a:b:c:d:e:f', ':b:c:d:e', 'a::c:d:e'])('%j is refused', (id) => {
    expect(() => parseProfileType(id)).toThrow(
      expect.objectContaining({ code: 'invalid_input', field: 'profile_type' }),
    );
  });
});

const present = (...ids: readonly string[]) => ids.map((id, i) => ({ id, total: 100 - i }));

describe('resolveProfileType', () => {
  test.each([
    [CPU, CPU],
    ['cpu', CPU],
    ['samples', SAMPLES],
    ['inuse_space', SPACE],
    ['memory', SPACE],
    ['process_cpu:cpu', CPU],
    ['process_cpu:samples:count', SAMPLES],
    ['process_cpu', CPU],
    ['', CPU],
  ])('"%s" names %s', (wanted, id) => {
    expect(resolveProfileType(wanted, present(SAMPLES, CPU, SPACE)).id).toBe(id);
  });

  test('the same sample type and unit of the same kind of profile are one question, whatever the period says', () => {
    const other = 'memory:inuse_space:bytes:inuse_space:bytes';
    expect(resolveProfileType('inuse_space', present(SPACE, other))).toMatchObject({
      id: SPACE,
      ids: [SPACE, other],
      others: [],
    });
    expect(resolveProfileType(other, present(SPACE, other)).ids).toEqual([SPACE, other]);
    const dotnet = 'cpu:cpu:nanoseconds::nanoseconds';
    expect(resolveProfileType('cpu', present(dotnet, CPU)).ids).toEqual([dotnet, CPU]);
  });

  test('mutex and block stay apart: the larger is taken, whatever its unit, and the others are named', () => {
    const mutex = 'mutex:delay:milliseconds:contentions:count';
    const block = 'block:delay:nanoseconds:contentions:count';
    const found = resolveProfileType('delay', [
      { id: mutex, total: 2 },
      { id: block, total: 900 },
    ]);
    expect(found).toMatchObject({ id: mutex, ids: [mutex], others: [block] });
    const heaps = ['a:rss:kilobytes::', 'b:rss:Bytes::'].map((id, i) => ({ id, total: 10 + i }));
    expect(resolveProfileType('rss', heaps).id).toBe('a:rss:kilobytes::');
  });

  test('units of one family are one question, in the smallest of them', () => {
    const micro = 'process_cpu:cpu:microseconds:cpu:microseconds';
    const mixed = [
      { id: CPU, total: 5e6 },
      { id: micro, total: 60e6 },
    ];
    for (const wanted of ['cpu', micro, CPU, '']) {
      expect(resolveProfileType(wanted, mixed)).toEqual({
        id: CPU,
        ids: [micro, CPU],
        total: 60_005_000_000,
        isDefault: false,
        others: [],
      });
    }
    const counted = ['Count', 'counts', 'count'].map((unit) => ({ id: `g:g:${unit}::`, total: 1 }));
    expect(resolveProfileType('g', counted)).toMatchObject({ total: 3, others: [] });
  });

  test('what no answer could hold in the smaller unit stays in its own', () => {
    const [days, nanoseconds] = ['x:wall:days::', 'x:wall:ns::'];
    const found = resolveProfileType('wall', [
      { id: days ?? '', total: 2 ** 50 },
      { id: nanoseconds ?? '', total: 5 },
    ]);
    expect(found).toMatchObject({ id: days, ids: [days], others: [nanoseconds] });
  });

  test('nothing asked is CPU time, then what profiles say, then samples of the CPU, then the heap in use', () => {
    const alloc = 'memory:alloc_space:bytes:space:bytes';
    const other = 'whatever:samples:count::';
    const types = [alloc, SPACE, SAMPLES, CPU, other].map((id, i) => ({ id, total: 100 - i }));
    const first = (isDefault: string, ...ids: readonly string[]) =>
      resolveProfileType(
        '',
        types
          .filter(({ id }) => ids.includes(id))
          .map((type) => ({ ...type, isDefault: type.id === isDefault })),
      ).id;
    expect(first(alloc, alloc, SPACE, SAMPLES, CPU, other)).toBe(CPU);
    expect(first(alloc, alloc, SPACE, SAMPLES, other)).toBe(alloc);
    expect(first('', alloc, SPACE, SAMPLES, other)).toBe(SAMPLES);
    expect(first('', alloc, SPACE, other)).toBe(SPACE);
    expect(first('', alloc, other)).toBe(alloc);
  });

  test('nothing asked names other CPU time, which is not less what could be meant', () => {
    const time = 'process_cpu:cpu-time:nanoseconds:cpu:nanoseconds';
    expect(resolveProfileType('', present(CPU, time, SPACE))).toMatchObject({ id: CPU, others: [time] });
  });

  test('an unknown one lists what there is', () => {
    expect(() => resolveProfileType('wall', present(SPACE, CPU))).toThrow(
      expect.objectContaining({
        code: 'not_found',
        message: `there is no profile type "wall": there is ${SPACE}, ${CPU}`,
      }),
    );
    expect(() => resolveProfileType('wall', [])).toThrow('there is no profile type "wall": there are none');
    expect(() => resolveProfileType('', [])).toThrow('no profile type was given');
  });
});
