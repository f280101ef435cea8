import { expect, test } from 'vitest';
import { STALLED_WINDOWS, stalledReason } from './stalled.ts';

test('an agent runs until no window was closed for three of them', () => {
  const windowMs = 10_000;
  expect(stalledReason({ windowMs, lastWindowAgeMs: windowMs * STALLED_WINDOWS })).toBeUndefined();
  expect(stalledReason({ windowMs, lastWindowAgeMs: 45_000 })).toMatch(/for 45 s, and one has 10 s/);
});
