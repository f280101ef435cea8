import { expect, test } from 'vitest';
import { STOPPED_REASONS, stoppedFrameName, stoppedReasonOf, type StoppedReason } from './stopped-stacks.ts';

test('a marker says its reason in its name, and the name is read back', () => {
  expect(stoppedFrameName('no_row')).toBe('[unwind stopped: no row]');
  const reasons = Object.keys(STOPPED_REASONS) as StoppedReason[]; // The keys of a constant.
  expect(reasons.map((reason) => stoppedReasonOf(stoppedFrameName(reason)))).toEqual(reasons);
});

test('what is no marker, or one of a newer agent, has no known reason', () => {
  expect(stoppedReasonOf('main')).toBeUndefined();
  expect(stoppedReasonOf('[unwind stopped: to string]')).toBeUndefined();
  expect(stoppedReasonOf('[unwind stopped: toString]')).toBeUndefined();
});
