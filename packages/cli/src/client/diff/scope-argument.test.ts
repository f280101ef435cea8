import { expect, test } from 'vitest';
import { isScopeArgument, parseScopeArgument } from './scope-argument.ts';

const RANGE = { fromMs: 1_700_000_000_000, toMs: 1_700_000_300_000 };
const DAY_MS = 86_400_000;

test.each([
  ['cpu{}', true],
  ['{service_name="api"}', true],
  ['cpu.pb.gz', false],
  ['cpu', false],
  ['-', false],
  ['./odd{name}.folded', false],
  ['/tmp/{a}', false],
])('%s is a scope: %s', (argument, expected) => {
  expect(isScopeArgument(argument)).toBe(expected);
});

test.each([
  ['{}', { selector: '{}', profileType: 'samples' }],
  ['cpu{a="}"}', { selector: '{a="}"}', profileType: 'cpu' }],
  ['cpu {a="b"} offset 1d', { fromMs: BigInt(RANGE.fromMs - DAY_MS), toMs: BigInt(RANGE.toMs - DAY_MS) }],
  ['cpu{} offset -1d', { toMs: BigInt(RANGE.toMs + DAY_MS) }],
  ['cpu{}[10m]', { fromMs: BigInt(RANGE.toMs - 600_000), toMs: BigInt(RANGE.toMs) }],
  ['cpu{}[10m] offset 1h', { fromMs: BigInt(RANGE.toMs - 4_200_000), toMs: BigInt(RANGE.toMs - 3_600_000) }],
])('%s', (argument, expected) => {
  expect(parseScopeArgument(argument, RANGE, 'samples')).toMatchObject(expected);
});

test.each([
  ['cpu{a=}', /column/],
  ['cpu{a="b"', /./],
  ['cpu{} | by (x)', /expected \[1h\], offset 7d or the end/],
  ['cpu{}[soon]', /the window: "soon" is not a duration/],
  ['cpu{} offset', /found "offset"/],
])('%s is refused', (argument, reason) => {
  expect(() => parseScopeArgument(argument, RANGE, '')).toThrow(reason);
});
