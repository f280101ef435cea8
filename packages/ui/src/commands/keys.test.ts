import { describe, expect, test } from 'vitest';
import { matchesKey } from './keys.ts';

const press = (key: string, more: Partial<KeyboardEvent> = {}): KeyboardEvent => {
  const event = { key, code: '', ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more };
  // Node has no KeyboardEvent; the matcher reads these six fields only.
  return event as KeyboardEvent;
};

describe('keys', () => {
  test.each<[string, KeyboardEvent, boolean]>([
    ['/', press('/'), true],
    ['?', press('?', { shiftKey: true }), true],
    ['n', press('n'), true],
    ['n', press('N', { shiftKey: true }), false],
    ['Shift+n', press('N', { shiftKey: true }), true],
    ['Mod+k', press('k', { ctrlKey: true }), true],
    ['Mod+k', press('k', { metaKey: true }), true],
    ['Mod+k', press('k'), false],
    ['code:KeyW', press('z', { code: 'KeyW' }), true],
    ['code:KeyW', press('w', { code: 'KeyZ' }), false],
    ['+', press('+', { shiftKey: true }), true],
    ['Escape', press('Escape'), true],
    ['n', press('n', { altKey: true }), false],
  ])('%s', (key, event, matches) => {
    expect(matchesKey(key, event)).toBe(matches);
  });
});
