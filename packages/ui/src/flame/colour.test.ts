import { flameTableFromFolded } from '@fleetflame/profile';
import { describe, expect, test } from 'vitest';
import { colourFrames } from './colour.ts';
import { frameName } from './navigate.ts';

const THEME = { lightness: 0.82, chroma: 0.08, dark: false };

/** Fill of the frame of that name. */
function fillOf(folded: string, name: string): string | undefined {
  const table = flameTableFromFolded(folded);
  const colours = colourFrames(table.frames, THEME);
  for (let node = 0; node < table.length; node++) {
    if (frameName(table, node) === name) return colours.fill[colours.ofFrame[table.frame[node]!]!];
  }
  return undefined;
}

describe('colours of boxes', () => {
  test('a binary keeps its colour, whatever else is in the picture', () => {
    const alone = fillOf('malloc@libc.so.6 1', 'malloc');
    expect(fillOf('main@api 1\nmain@db;malloc@libc.so.6 1\nx@zlib 1', 'malloc')).toBe(alone);
  });

  test('functions of one binary have one colour, the kinds of code different ones', () => {
    const folded = 'a@node;b@node;c@[kernel] 1\na@node;d@[jit] 1\na@node;e 1';
    expect(fillOf(folded, 'a')).toBe(fillOf(folded, 'b'));
    expect(new Set(['b', 'c', 'd', 'e'].map((name) => fillOf(folded, name))).size).toBe(4);
  });
});
