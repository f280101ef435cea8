import { expect, test } from 'vitest';
import { comparabilityWarnings, type SideFacts } from '../comparability.ts';
import { compareProfiles } from '../compare-profiles.ts';
import { stoppedValue, unnamedSelf } from '../side-facts.ts';
import { profileOf } from '../testing/compared.ts';
import { parseCondition } from './condition.ts';
import { judge, type GateResult } from './gate.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
/** 100 Hz. */
const SAMPLE = 10_000_000;

function sideOf(
  text: string,
  facts: Partial<SideFacts> = {},
): { profile: ReturnType<typeof profileOf>; facts: SideFacts } {
  const profile = profileOf(text.replaceAll(/\d+$/gm, (samples) => String(Number(samples) * SAMPLE)));
  const total = profile.tree.self.reduce((sum, value) => sum + value, 0);
  return {
    profile,
    facts: {
      total,
      profileType: CPU,
      sampleValue: SAMPLE,
      spanMs: 10_000,
      hosts: undefined,
      unnamed: unnamedSelf(profile.tree),
      stopped: stoppedValue(profile.tree),
      coverage: undefined,
      pruned: 0,
      ...facts,
    },
  };
}

function gate(
  base: string,
  next: string,
  conditions: readonly string[],
  options: { any?: boolean; base?: Partial<SideFacts>; next?: Partial<SideFacts> } = {},
): GateResult {
  const [a, b] = [sideOf(base, options.base), sideOf(next, options.next)];
  const comparison = compareProfiles(a.profile, b.profile, {
    spanMs: [a.facts.spanMs, b.facts.spanMs],
    sampleValue: [a.facts.sampleValue, b.facts.sampleValue],
  });
  return judge(comparison, [a.facts, b.facts], {
    conditions: conditions.map(parseCondition),
    any: options.any ?? false,
  });
}

const failed = (result: GateResult): string[] =>
  result.failures.flatMap(({ functions }) => functions.map(({ name }) => name));

test('bounds of one condition hold of one function', () => {
  const [base, next] = ['main;parse 100\nmain;write 900', 'main;parse 200\nmain;write 900'];
  expect(failed(gate(base, next, ['self > 10 %']))).toEqual(['parse']);
  expect(failed(gate(base, next, ['self > 150 %']))).toEqual([]);
  expect(failed(gate(base, next, ['total > 5 %']))).toEqual(['parse', 'main']);
  expect(failed(gate(base, next, ['total > 5 % and self > 5 %']))).toEqual(['parse']);
  expect(failed(gate(base, next, ['self > 100 %']))).toEqual([]);
  expect(failed(gate(base, next, ['self >= 100 %']))).toEqual(['parse']);
  // 1 s more in 10 s.
  expect(failed(gate(base, next, ['self > 0.09 cores']))).toEqual(['parse']);
  expect(failed(gate(base, next, ['self > 0.11 cores']))).toEqual([]);
  expect(failed(gate(base, next, ['self > 900 ms', 'self > 2 seconds']))).toEqual(['parse']);
  // 200 of 1,100 less 100 of 1,000.
  expect(failed(gate(base, next, ['self > 8 points']))).toEqual(['parse']);
  expect(failed(gate(base, base, ['self > 0 %', 'total > 0 points', 'new > 0 %', 'gone > 0 %']))).toEqual([]);
});

test('new and gone are shares of their side', () => {
  const [base, next] = ['main;old 100\nmain;write 900', 'main;fresh 60\nmain;write 940'];
  expect(failed(gate(base, next, ['new > 5 %']))).toEqual(['fresh']);
  expect(failed(gate(base, next, ['new > 7 %']))).toEqual([]);
  expect(failed(gate(base, next, ['gone > 9 %']))).toEqual(['old']);
  expect(failed(gate(base, next, ['gone > 0.09 cores']))).toEqual(['old']);
  expect(failed(gate(base, next, ['new > 0.5 s']))).toEqual(['fresh']);
});

test('what may be chance counts only with any', () => {
  const [base, next] = ['main;parse 100\nmain;write 900', 'main;parse 112\nmain;write 900'];
  expect(failed(gate(base, next, ['self > 10 %']))).toEqual([]);
  expect(failed(gate(base, next, ['self > 10 %'], { any: true }))).toEqual(['parse']);
});

test('windows of different length compare as rates, also in seconds', () => {
  const options = { next: { spanMs: 20_000 } };
  expect(
    failed(gate('main 1000', 'main 2000', ['self > 1 %', 'self > 1 s', 'self > 0.01 cores'], options)),
  ).toEqual([]);
  expect(failed(gate('main 1000', 'main 3000', ['self > 9 s'], options))).toEqual(['main']);
  expect(failed(gate('main 1000', 'main 3000', ['self > 11 s'], options))).toEqual([]);
});

test('too few samples, no weight, missing blocks: it says what is needed', () => {
  expect(gate('main 3', 'main 9', ['self > 10 %']).missing).toEqual([
    expect.stringMatching(/^there are 12 samples .* 18 more at least, so run 3 times as long$/),
  ]);
  expect(gate('main 3', 'main 9', ['self > 10 %'], { any: true }).missing).toEqual([]);
  expect(gate('', 'main 90', ['self > 10 %']).missing).toEqual([
    expect.stringContaining('BASE has no samples'),
  ]);
  expect(gate('main 30', 'main 90', ['self > 1 %'], { base: { sampleValue: 0 } }).missing).toEqual([
    expect.stringContaining('what one sample weighs is not known'),
  ]);
  expect(gate('main 300', 'main 300', ['self > 1 %'], { next: { pruned: 30 * SAMPLE } }).missing).toEqual([
    'NEW was pruned, 10.0 % of it is missing: narrow the selector or the range',
  ]);
  const coverage = { expected: 4, answered: 3, gaps: 0 };
  expect(gate('main 300', 'main 300', ['self > 1 %'], { next: { coverage } }).missing).toEqual([
    expect.stringContaining('of NEW 3 of 4 blocks'),
  ]);
  expect(gate('main 300', 'main 300', ['self > 10 %']).notes[0]).toMatch(
    /about 3150 samples .* has 300: below 34 %/,
  );
  expect(gate('main 4000', 'main 4000', ['self > 10 %'])).toEqual({ failures: [], missing: [], notes: [] });
});

test.each([
  ['self > 1 GiB', 'these profiles are in nanoseconds'],
  ['self > 1 apples', 'these profiles are in nanoseconds'],
])('a unit that the profiles do not have is refused: %s', (condition, reason) => {
  expect(() => gate('main 1', 'main 1', [condition])).toThrow(reason);
});

test('cores need to know how long it took', () => {
  expect(() => gate('main 1', 'main 1', ['self > 1 cores'], { base: { spanMs: 0 } })).toThrow(
    'how long it took',
  );
});

test.each([
  ['', 1, 'expected self, total, new or gone'],
  ['selfish > 1 %', 1, 'expected self, total, new or gone'],
  ['self < 1 %', 6, 'expected > or >='],
  ['self > -1 %', 8, 'expected a number'],
  ['self > 1', 9, 'expected a unit'],
  ['self > 1 % or total > 1 %', 12, 'expected "and" or the end'],
  ['self > 1 % and', 15, 'expected self, total, new or gone'],
])('a condition that is none says where: %s', (source, column, expected) => {
  expect(() => parseCondition(source)).toThrow(`column ${column}: ${expected}`);
});

test('what is not alike is said', () => {
  const base = sideOf('main;app+0x1@app 10\nmain 90', { hosts: 3 }).facts;
  const next = sideOf('main;app+0x1@app 20\n[deep]_[s];main 5\nmain 75', {
    hosts: 1,
    sampleValue: 1,
    coverage: { expected: 3, answered: 2, gaps: 1 },
  }).facts;
  const warnings = comparabilityWarnings(base, next, 'time');
  expect(warnings.map((warning) => warning.replace(/:.*/, ''))).toEqual([
    'NEW lacks 1 of 3 blocks, and 1 parts of its time are not stored any more',
    'the sampling periods differ',
    'BASE is of 3 hosts, NEW of 1',
    '10.0 % of BASE has no function name, but 20.0 % of NEW',
    '0.0 % of BASE has incomplete stacks, but 5.0 % of NEW',
  ]);
  expect(comparabilityWarnings(base, base, 'time')).toEqual([]);
  const longer = { ...base, spanMs: 0, unnamed: base.unnamed + base.total / 200 };
  expect(comparabilityWarnings(base, longer, 'time')).toEqual([
    expect.stringMatching(/^NEW does not say how long/),
  ]);
  expect(comparabilityWarnings(base, longer, 'total')).toEqual([]);
});
