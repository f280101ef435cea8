import { expect, test } from 'vitest';
import { kindWords } from './kind-words.ts';

test.each([
  [['rate'], 'counter', 'in'],
  [['gauge'], 'gauge', 'mean over'],
  [['cumulative'], 'counter', 'increase in'],
  [['rate', 'cumulative'], 'counter', 'in'],
  [['gauge', 'cumulative'], 'gauge and counter', 'in'],
])('%j is a %s, %s a range', (kinds, name, over) => {
  expect(kindWords(kinds)).toMatchObject({ name, over });
});

test('nothing is said where the server says nothing, or what this page does not know', () => {
  expect([kindWords([]), kindWords(['histogram'])]).toEqual([undefined, undefined]);
});
