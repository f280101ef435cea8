import { scaled } from '@fleetflame/testing';
import { describe, expect, test } from 'vitest';
import { compareProfiles, type FunctionDelta } from './compare-profiles.ts';
import { intervalOf, samplesNeeded, smallestChange } from './interval.ts';
import { perhapsRenamed } from './perhaps-renamed.ts';
import { pruneComparison } from './prune-comparison.ts';
import { profileOf, profileOfHosts } from './testing/compared.ts';
import { Random } from './testing/random.ts';

const COUNTS = { sampleValue: [1, 1] } as const;

function named(functions: readonly FunctionDelta[], name: string): FunctionDelta {
  const found = functions.find((fn) => fn.name === name);
  if (found === undefined) throw new Error(`no ${name} among ${functions.map((fn) => fn.name).join()}`);
  return found;
}

test('a function that doubled is significant by sampling alone; what did not change is not', () => {
  const { functions, basis } = compareProfiles(
    profileOf('main;parse 100\nmain;write 900'),
    profileOf('main;parse 200\nmain;write 900'),
    COUNTS,
  );
  expect(basis).toBe('sampling');
  expect(functions[0]).toMatchObject({ name: 'parse', baseSelf: 100, self: 200, presence: 'both' });
  expect(functions[0]?.selfTest?.significant).toBe(true);
  expect(named(functions, 'write').selfTest).toMatchObject({ significant: false, p: 1 });
});

test('new and gone are counted, and a side without a known weight of samples tests nothing', () => {
  const comparison = compareProfiles(profileOf('main;old 5\nmain 1'), profileOf('main;fresh 6\nmain 1'));
  expect(comparison).toMatchObject({
    newFunctions: 1,
    goneFunctions: 1,
    basis: 'none',
    tests: 0,
    threshold: 0,
  });
  expect(named(comparison.functions, 'old').presence).toBe('gone');
  expect(named(comparison.functions, 'fresh').presence).toBe('new');
  expect(named(comparison.functions, 'main').selfTest).toBeUndefined();
});

test('per time a window twice as long is no change; per total a load twice as high is none', () => {
  const [base, twice] = [profileOf('main;a 500\nmain;b 1500'), profileOf('main;a 1000\nmain;b 3000')];
  const changed = (options: object): number =>
    compareProfiles(base, twice, { ...COUNTS, ...options }).functions.filter(
      (fn) => fn.totalTest?.significant,
    ).length;
  expect(changed({})).toBe(3);
  expect(changed({ spanMs: [10_000, 20_000] })).toBe(0);
  expect(changed({ spanMs: [10_000, 10_000] })).toBe(3);
  expect(changed({ per: 'total' })).toBe(0);
  // Where one side does not say how long it took, values are compared as they are.
  expect(compareProfiles(base, twice, { spanMs: [0, 20_000] })).toMatchObject({
    isRate: false,
    denominators: [1, 1],
  });
});

test('an interval is around the difference, and tells what is missing', () => {
  const { functions } = compareProfiles(profileOf('f 1000'), profileOf('f 1100'), COUNTS);
  const interval = intervalOf(functions[0]!.selfTest!);
  expect(interval.low).toBeCloseTo(100 - 1.96 * Math.sqrt(2100), 1);
  expect(interval.high).toBeCloseTo(100 + 1.96 * Math.sqrt(2100), 1);
  expect([0.2, 0.1, 0.05].map(samplesNeeded)).toEqual([825, 3150, 12_300]);
  expect(smallestChange(3150)).toBeCloseTo(0.1, 10);
});

test('an empty side is no error', () => {
  for (const per of ['time', 'total'] as const) {
    const comparison = compareProfiles(profileOf(''), profileOf('main 10'), { ...COUNTS, per });
    expect(comparison.newFunctions).toBe(1);
    expect(compareProfiles(profileOf(''), profileOf(''), { ...COUNTS, per }).functions).toEqual([]);
  }
});

test('pruning goes by the larger side: gone code stays, and what went is said', () => {
  const comparison = compareProfiles(
    profileOf('a;gone 50\na;kept 10\nb 2'),
    profileOf('a;kept 60\nb 3\nc 1'),
  );
  const { tree, matcher } = comparison.compared;
  const pruned = pruneComparison(comparison, 4);
  expect(pruned.kept.map((node) => matcher.frames.nameOf(tree.frame[node]!))).toEqual([
    'all',
    'a',
    'gone',
    'kept',
  ]);
  expect(pruned).toMatchObject({ prunedNodes: 2, prunedSelf: 4, prunedBaseSelf: 2 });
  expect(pruneComparison(comparison, 100)).toMatchObject({ prunedNodes: 0, prunedSelf: 0 });
});

test('gone and new under one caller that call the same are perhaps renamed; leaves are not', () => {
  const comparison = compareProfiles(
    profileOf('main;old;read 50\nmain;old;write 45\nmain;old 5\nmain;leaf 7'),
    profileOf('main;young;read 52\nmain;young;write 41\nmain;young 7\nmain;leaf2 7'),
  );
  const { tree, matcher } = comparison.compared;
  const name = (node: number): string => matcher.frames.nameOf(tree.frame[node]!);
  const pairs = perhapsRenamed(comparison.compared);
  expect(pairs.map((pair) => [name(pair.gone), name(pair.new)])).toEqual([['old', 'young']]);
  expect(pairs[0]?.overlap).toBeCloseTo(96 / 104, 2);
});

/** A fleet of `hosts` on which 60 functions run, each with its share; `factor` for the first. */
function fleet(random: Random, hosts: number, prefix: string, factor = 1): Record<string, string> {
  const sides: Record<string, string> = {};
  for (let host = 0; host < hosts; host++) {
    const load = random.gamma(0.5);
    const lines: string[] = [];
    for (let fn = 0; fn < 60; fn++) {
      const mean = fn === 0 ? 5000 * factor : 40_000 / (fn + 20);
      const samples = random.poisson((mean / hosts) * load * random.gamma(0.1));
      if (samples > 0) lines.push(`main;work${fn % 7};f${fn} ${samples}`);
    }
    sides[`${prefix}${host}`] = lines.join('\n');
  }
  return sides;
}

describe('whole diffs of 32 hosts a side', () => {
  const seeds = scaled(20, 200);
  const options = { ...COUNTS, per: 'total' } as const;

  test('report nothing where nothing changed, but for the stated share of runs', () => {
    let reports = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const random = new Random(seed);
      const [base, next] = [fleet(random, 32, 'old-'), fleet(random, 32, 'new-')].map(profileOfHosts);
      const comparison = compareProfiles(base!, next!, options);
      expect(comparison).toMatchObject({ basis: 'hosts', paired: false });
      if (comparison.threshold > 0) reports++;
    }
    // 18 of 200: 5 %, and what chance adds.
    expect(reports).toBeLessThanOrEqual(Math.ceil(seeds * 0.09));
  });

  test('find 30 % more of a function of 5,000 samples a side', () => {
    let found = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const random = new Random(seed);
      const [base, next] = [fleet(random, 32, 'old-'), fleet(random, 32, 'new-', 1.3)].map(profileOfHosts);
      const { functions } = compareProfiles(base!, next!, options);
      if (named(functions, 'f0').selfTest?.significant === true) found++;
    }
    expect(found).toBeGreaterThanOrEqual(seeds * 0.95);
  });
});

test('the same hosts on both sides are paired; fewer than three are not measured by', () => {
  const random = new Random(1);
  const [base, next] = [fleet(random, 4, 'h'), fleet(random, 4, 'h')].map(profileOfHosts);
  expect(compareProfiles(base!, next!, COUNTS)).toMatchObject({ basis: 'hosts', paired: true });
  const [many, others] = [fleet(random, 100, 'a'), fleet(random, 100, 'b')].map(profileOfHosts);
  expect(compareProfiles(many!, others!, COUNTS)).toMatchObject({ basis: 'hosts', paired: false });
  const again = profileOfHosts(fleet(random, 100, 'a'));
  expect(compareProfiles(many!, again, COUNTS)).toMatchObject({ basis: 'hosts', paired: true });
  const [two, three] = [fleet(random, 2, 'h'), fleet(random, 3, 'h')].map(profileOfHosts);
  expect(compareProfiles(two!, three!, COUNTS)).toMatchObject({ basis: 'sampling', paired: false });
});
