import { flameTableFromFolded } from '@fleetflame/profile';
import { describe, expect, test } from 'vitest';
import { matchFlame, parseQuery } from './search.ts';

const TABLE = flameTableFromFolded(`
  main;walk;walk;walk;visit 10
  main;walk;print@libc.so.6 5
  main;Visit 85
`);

const found = (text: string) => {
  const matches = matchFlame(TABLE, parseQuery(text));
  return matches === undefined ? undefined : { boxes: matches.nodes.length, value: matches.value };
};

describe('search', () => {
  test('text is literal and ignores case', () => {
    expect(found('visit')).toEqual({ boxes: 2, value: 95 });
    expect(found('w.lk')).toEqual({ boxes: 0, value: 0 });
  });

  test('a stack counts once, however often the function is on it', () => {
    expect(found('walk')).toEqual({ boxes: 3, value: 15 });
    expect(found('/walk|visit/')).toEqual({ boxes: 4, value: 15 });
  });

  test('between slashes it is a regular expression, with i without case', () => {
    expect(found('/^v/')).toEqual({ boxes: 1, value: 10 });
    expect(found('/^v/i')).toEqual({ boxes: 2, value: 95 });
  });

  test('binaries are searched, too', () => {
    expect(found('libc')).toEqual({ boxes: 1, value: 5 });
  });

  test('the root is never a match', () => {
    expect(found('all')).toEqual({ boxes: 0, value: 0 });
  });

  test('nothing to search for is not the same as nothing found', () => {
    expect(found('')).toBeUndefined();
  });

  test('an expression that cannot be read says why', () => {
    expect(parseQuery('/(/')).toMatchObject({ kind: 'invalid', message: expect.stringContaining('missing') });
  });

  test('an expression that makes backtracking engines hang takes no time', () => {
    const query = parseQuery('/(a+)+$/');
    expect(query.kind === 'match' && query.test(`${'a'.repeat(5000)}b`)).toBe(false);
  });
});
