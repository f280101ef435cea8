import * as fc from 'fast-check';
import { scaled, testSeed } from '@fleetflame/testing';
import { expect, test } from 'vitest';
import { FlameTree } from '../projection/flame-tree.ts';
import { compareTrees, pathOfNode, type ComparedProfile, type ComparedTree } from './compared-tree.ts';
import { BASE, NEW } from './frame-matcher.ts';
import { profileOf, profileOfHosts } from './testing/compared.ts';

/** Random stacks over few names, so that both sides and recursion meet. */
const stacks = fc.array(
  fc.record({
    path: fc.array(fc.constantFrom('a', 'b', 'c', 'd.cold', 'd', 'e@lib.so.1', 'e@lib.so.2', 'f_[i]'), {
      maxLength: 6,
    }),
    value: fc.integer({ min: 1, max: 1e6 }),
    host: fc.constantFrom('h1', 'h2', 'h3'),
  }),
  { maxLength: 30 },
);
type Stacks = readonly { readonly path: readonly string[]; readonly value: number; readonly host: string }[];

function textOf(side: Stacks): string {
  return side.map(({ path, value }) => `${path.join(';')} ${value}`).join('\n');
}

function hostsOf(side: Stacks): Record<string, string> {
  const groups = Map.groupBy(side, ({ host }) => host);
  return Object.fromEntries([...groups].map(([host, of]) => [host, textOf(of)]));
}

/** As they are compared: by hand. */
function plain(name: string): string {
  return name
    .replace('.cold', '')
    .replace(/\.so\.\d/, '.so')
    .replace('_[i]', '');
}

/** Sums by hand: per path and per function, from the stacks alone. */
function byHand(side: Stacks): Map<string, readonly [self: number, total: number]> {
  const sums = new Map<string, [number, number]>();
  const add = (key: string, self: number, total: number): void => {
    const known = sums.get(key);
    if (known === undefined) sums.set(key, [self, total]);
    else {
      known[0] += self;
      known[1] += total;
    }
  };
  for (const { path, value } of side) {
    const names = path.map(plain);
    for (let depth = 0; depth <= names.length; depth++)
      add(`/${names.slice(0, depth).join('/')}`, depth === names.length ? value : 0, value);
    for (const name of new Set(names)) add(name, names.at(-1) === name ? value : 0, value);
  }
  return sums;
}

function sumsOf(
  compared: ComparedTree,
): readonly [Map<string, readonly number[]>, Map<string, readonly number[]>] {
  const { tree, nodes, functions, matcher } = compared;
  const name = (fn: number): string => {
    const binary = matcher.frames.binaryOf(fn);
    return matcher.frames.nameOf(fn) + (binary === '' ? '' : `@${binary}`);
  };
  const of = (side: typeof BASE | typeof NEW): Map<string, readonly number[]> => {
    const sums = new Map<string, readonly number[]>();
    for (let i = 0; i < tree.length; i++)
      sums.set(`/${pathOfNode(compared, i).map(name).join('/')}`, [
        nodes[side].self[i]!,
        nodes[side].total[i]!,
      ]);
    for (let fn = 1; fn < matcher.frames.length; fn++)
      sums.set(name(fn), [functions[side].self[fn]!, functions[side].total[fn]!]);
    return sums;
  };
  return [of(BASE), of(NEW)];
}

function withoutZeros(sums: ReadonlyMap<string, readonly number[]>): Map<string, readonly number[]> {
  return new Map(
    [...sums].filter(([, [self, total]]) => self !== 0 || total !== 0).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const RUNS = { numRuns: scaled(500, 20_000), seed: testSeed() };

test('both sides are what adding up their stacks by hand gives, per node and per function', () => {
  fc.assert(
    fc.property(stacks, stacks, (base, next) => {
      const [was, is] = sumsOf(compareTrees(profileOf(textOf(base)), profileOf(textOf(next))));
      expect(withoutZeros(was)).toEqual(withoutZeros(byHand(base)));
      expect(withoutZeros(is)).toEqual(withoutZeros(byHand(next)));
    }),
    RUNS,
  );
});

test('sides change places, and nothing else', () => {
  fc.assert(
    fc.property(stacks, stacks, (base, next) => {
      const [was, is] = sumsOf(compareTrees(profileOf(textOf(base)), profileOf(textOf(next))));
      const [is2, was2] = sumsOf(compareTrees(profileOf(textOf(next)), profileOf(textOf(base))));
      expect(withoutZeros(was2)).toEqual(withoutZeros(was));
      expect(withoutZeros(is2)).toEqual(withoutZeros(is));
    }),
    RUNS,
  );
});

function merged(a: ComparedProfile, b: ComparedProfile): ComparedProfile {
  const tree = new FlameTree();
  tree.addTree(a.tree);
  tree.addTree(b.tree);
  return { tree, byHost: false };
}

function added(
  a: ReadonlyMap<string, readonly number[]>,
  b: ReadonlyMap<string, readonly number[]>,
): Map<string, readonly number[]> {
  const sum = new Map(a);
  for (const [key, [self = 0, total = 0]] of b) {
    const [s = 0, t = 0] = sum.get(key) ?? [];
    sum.set(key, [s + self, t + total]);
  }
  return withoutZeros(sum);
}

test('comparing merged profiles is adding up comparisons', () => {
  fc.assert(
    fc.property(stacks, stacks, stacks, stacks, (a, b, c, d) => {
      const [A, B] = [profileOf(textOf(a)), profileOf(textOf(b))];
      const [C, D] = [profileOf(textOf(c)), profileOf(textOf(d))];
      const whole = sumsOf(compareTrees(merged(A, B), merged(C, D)));
      const [first, second] = [sumsOf(compareTrees(A, C)), sumsOf(compareTrees(B, D))];
      for (const side of [BASE, NEW] as const)
        expect(withoutZeros(whole[side])).toEqual(added(first[side], second[side]));
    }),
    RUNS,
  );
});

test('hosts are no part of the stacks, and the sums of their units are the sums of all', () => {
  fc.assert(
    fc.property(stacks, stacks, (base, next) => {
      const byHost = compareTrees(profileOfHosts(hostsOf(base)), profileOfHosts(hostsOf(next)));
      const [was, is] = sumsOf(byHost);
      expect(withoutZeros(was)).toEqual(withoutZeros(byHand(base)));
      expect(withoutZeros(is)).toEqual(withoutZeros(byHand(next)));
      const units = byHost.unitSums()!;
      for (const side of [BASE, NEW] as const) {
        const ofHost = new Map<string, number>();
        for (const { host, value } of side === BASE ? base : next)
          ofHost.set(host, (ofHost.get(host) ?? 0) + value);
        expect(byHost.hosts[side]).toEqual(ofHost);
        expect(units[side].values.reduce((sum, value) => sum + value, 0)).toBe(byHost.totals[side]);
        for (const what of ['self', 'total'] as const) {
          for (let fn = 1; fn < byHost.matcher.frames.length; fn++) {
            const sum = units[side].functions.reduce((all, of) => all + of[what][fn]!, 0);
            expect(sum).toBe(byHost.functions[side][what][fn]);
          }
        }
      }
    }),
    RUNS,
  );
});

test('exact keeps apart what builds name differently; names says how many it joined', () => {
  const [base, next] = [
    profileOf('main;work.isra.0@api-1.2 10\nmain;gone 1'),
    profileOf('main;work@api-1.3 12'),
  ];
  const joined = compareTrees(base, next);
  expect(joined.matcher.joinedNames).toBe(1);
  expect(withoutZeros(sumsOf(joined)[NEW]).get('work@api')).toEqual([12, 12]);
  const exact = compareTrees(base, next, 'exact');
  expect(exact.matcher.joinedNames).toBe(0);
  expect(withoutZeros(sumsOf(exact)[NEW]).get('work@api-1.3')).toEqual([12, 12]);
  expect(sumsOf(exact)[NEW].get('work.isra.0@api-1.2')).toEqual([0, 0]);
});

test('frames without a name are one per binary, unless they are compared exactly', () => {
  const [base, next] = [
    profileOf('main;app+0x10@app 3\nmain;app+0x20@app 4'),
    profileOf('main;app+0x30@app 7'),
  ];
  expect(sumsOf(compareTrees(base, next))[BASE].get('app+0x…@app')).toEqual([7, 7]);
  expect(sumsOf(compareTrees(base, next, 'exact'))[BASE].get('app+0x10@app')).toEqual([3, 3]);
});

test('a called and an inlined function are one, and it is said where that changed', () => {
  const { matcher } = compareTrees(profileOf('main;copy 3'), profileOf('main;copy_[i] 4'));
  const copy = [1, 2].find((fn) => matcher.frames.nameOf(fn) === 'copy')!;
  expect(matcher.inliningChanged(copy)).toBe(true);
  expect(matcher.kindOf(copy)).toBe('native');
  expect(matcher.inliningChanged(3 - copy)).toBe(false);
});
