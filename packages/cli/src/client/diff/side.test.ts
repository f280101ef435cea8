import { FlameTree } from '@fleetflame/profile';
import { expect, test } from 'vitest';
import { alignUnits, guessSampleValue, type DiffSide } from './side.ts';

function treeOf(...values: readonly number[]): FlameTree {
  const tree = new FlameTree();
  for (const value of values)
    tree.addSelf(tree.child(0, tree.frames.intern(`f${value}`, '', '', 1, 1)), value);
  return tree;
}

function sideOf(profileType: string, ...values: readonly number[]): DiffSide {
  const total = values.reduce((sum, value) => sum + value, 0);
  return {
    source: profileType,
    profile: { tree: treeOf(...values), byHost: false },
    facts: {
      total,
      profileType,
      sampleValue: 1,
      spanMs: 0,
      hosts: undefined,
      unnamed: 0,
      stopped: 0,
      pruned: 0,
      coverage: undefined,
    },
    coverage: undefined,
    notes: [],
  };
}

test.each([
  [[10_000_000, 30_000_000], 10_000_000],
  [[52_631_579 * 3, 52_631_579 * 4], 52_631_579],
  [[100, 900], 0],
  [[200_000, 200_001], 0],
  [[0.5, 100_000], 0],
  [[], 0],
])('values %j are multiples of the period %d', (values, expected) => {
  expect(guessSampleValue([treeOf(...values)])).toBe(expected);
});

test('one unit of a family is made of two, exactly; others are refused with both named', () => {
  const [ms, ns] = ['p:cpu:milliseconds:cpu:nanoseconds', 'p:cpu:nanoseconds:cpu:nanoseconds'];
  for (const [a, b] of [
    [sideOf(ms, 7), sideOf(ns, 5)],
    [sideOf(ns, 5), sideOf(ms, 7)],
  ] as const) {
    const [base, next] = alignUnits(a, b);
    const larger = a.facts.profileType === ms ? base : next;
    expect(larger.facts).toMatchObject({ total: 7_000_000, profileType: ns, sampleValue: 1_000_000 });
    expect(larger.profile.tree.self[1]).toBe(7_000_000);
    expect(a.profile.tree.self[1]).toBeLessThan(10);
  }
  expect(() => alignUnits(sideOf(ns, 1), sideOf('memory:space:bytes:space:bytes', 1))).toThrow(
    /in nanoseconds; .* in bytes: different units/,
  );
  expect(alignUnits(sideOf('', 0), sideOf(ns, 1))[0].facts.profileType).toBe(ns);
});
