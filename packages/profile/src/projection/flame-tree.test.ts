import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { FLAME_TREE_MAX_DEPTH, FlameTree } from './flame-tree.ts';

/** Paths with their values, as the tree has them. */
function pathsOf(tree: FlameTree): Map<string, number> {
  const names: string[] = [''];
  const sums = new Map<string, number>();
  for (let node = 0; node < tree.length; node++) {
    if (node > 0) names[node] = `${names[tree.parent[node]!]!};${tree.frame[node]}`;
    expect(tree.depth[node]).toBe(node === 0 ? 0 : tree.depth[tree.parent[node]!]! + 1);
    expect(sums.has(names[node]!)).toBe(false);
    sums.set(names[node]!, tree.self[node]!);
  }
  return sums;
}

function add(tree: FlameTree, sums: Map<string, number>, path: readonly number[]): void {
  let node = 0;
  let name = '';
  for (const frame of path) {
    if (!sums.has(name)) sums.set(name, 0);
    node = tree.child(node, frame);
    name += `;${frame}`;
  }
  tree.addSelf(node, 1);
  sums.set(name, (sums.get(name) ?? 0) + 1);
}

const paths = fc.array(fc.array(fc.nat({ max: 5 }), { maxLength: 6 }), { maxLength: 60 });

test('copies of a tree, and copies of those, can be added to without changing each other', () => {
  // Each step takes a tree that is there, copies it or not, and adds paths to it.
  const steps = fc.array(fc.record({ tree: fc.nat(), copy: fc.boolean(), trim: fc.boolean(), paths }), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(steps, (steps) => {
      const trees = [{ tree: new FlameTree(), sums: new Map([['', 0]]) }];
      for (const step of steps) {
        let at = trees[step.tree % trees.length]!;
        if (step.copy) {
          at = { tree: at.tree.clone(), sums: new Map(at.sums) };
          trees.push(at);
        }
        for (const path of step.paths) add(at.tree, at.sums, path);
        if (step.trim) at.tree.trim();
      }
      for (const { tree, sums } of trees) expect(pathsOf(tree)).toEqual(sums);
    }),
  );
});

test('a large tree grows from a copy in the same way as from nothing', () => {
  const whole = new FlameTree();
  let copied = new FlameTree();
  for (let i = 0; i < 20_000; i++) {
    const path = [i % 7, i % 1000, i % 13, i];
    for (const tree of [whole, copied]) {
      let node = 0;
      for (const frame of path) node = tree.child(node, frame);
      tree.addSelf(node, i);
    }
    if (i % 1500 === 0) copied = copied.clone();
  }
  expect(pathsOf(copied)).toEqual(pathsOf(whole));
  const sum = new FlameTree({ frames: whole.frames });
  sum.addTree(whole);
  const twice = sum.clone();
  twice.addTree(whole);
  expect([...pathsOf(twice).values()]).toEqual([...pathsOf(whole).values()].map((value) => value * 2));
  expect(pathsOf(sum)).toEqual(pathsOf(whole));
});

test('frames beyond the greatest depth are counted, and their value stays', () => {
  const tree = new FlameTree();
  let node = 0;
  for (let i = 0; i < FLAME_TREE_MAX_DEPTH + 5; i++) node = tree.child(node, i % 3);
  tree.addSelf(node, 7);
  expect([tree.length - 1, tree.framesTooDeep]).toEqual([FLAME_TREE_MAX_DEPTH, 5]);
  const sum = new FlameTree({ frames: tree.frames });
  sum.addTree(tree);
  expect([sum.framesTooDeep, sum.self.reduce((all, self) => all + self, 0)]).toEqual([5, 7]);
});
