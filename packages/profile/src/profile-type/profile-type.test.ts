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

  test('mutex and block stay apart, and so do units: the larger is taken and the others are named', () => {
    const [mutex, block] = ['mutex', 'block'].map((name) => `${name}:delay:nanoseconds:contentions:count`);
    const found = resolveProfileType('delay', [
      { id: mutex ?? '', total: 2 },
      { id: block ?? '', total: 900 },
    ]);
    expect(found).toMatchObject({ id: block, ids: [block], others: [mutex] });
    const micro = 'process_cpu:cpu:microseconds:cpu:microseconds';
    const mixed = [
      { id: CPU, total: 5e6 },
      { id: micro, total: 60e6 },
    ];
    expect(resolveProfileType('cpu', mixed)).toMatchObject({ id: micro, others: [CPU] });
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
