import { describe, expect, test } from 'vitest';
import { formatProfileType, parseProfileType } from './profile-type.ts';
import { resolveProfileType } from './resolve-profile-type.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
const SPACE = 'memory:inuse_space:bytes:space:bytes';
const OTHER_CPU = 'on_cpu:cpu:nanoseconds:cpu:nanoseconds';

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

describe('resolveProfileType', () => {
  test.each([
    [CPU, CPU],
    ['cpu', CPU],
    ['samples', SAMPLES],
    ['inuse_space', SPACE],
    ['memory', SPACE],
    ['process_cpu:cpu', CPU],
    ['process_cpu:samples:count', SAMPLES],
  ])('%s names %s', (wanted, id) => {
    expect(resolveProfileType(wanted, [CPU, SAMPLES, SPACE])).toBe(id);
  });

  test('an ambiguous sample type lists what it can be', () => {
    expect(() => resolveProfileType('cpu', [CPU, SPACE, OTHER_CPU])).toThrow(
      expect.objectContaining({
        code: 'invalid_input',
        message: `profile type "cpu" is ambiguous, it can be ${OTHER_CPU}, ${CPU}`,
      }),
    );
    expect(() => resolveProfileType('process_cpu', [CPU, SAMPLES])).toThrow(/ambiguous/);
  });

  test('an unknown one lists what there is', () => {
    expect(() => resolveProfileType('wall', [SPACE, CPU])).toThrow(
      expect.objectContaining({
        code: 'not_found',
        message: `there is no profile type "wall": there is ${SPACE}, ${CPU}`,
      }),
    );
    expect(() => resolveProfileType('wall', [])).toThrow('there is no profile type "wall": there are none');
    expect(() => resolveProfileType('', [CPU])).toThrow('no profile type was given');
  });
});
