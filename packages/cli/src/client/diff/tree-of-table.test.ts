import { FlameTree, FRAME_KINDS, layoutFlameTree } from '@fleetflame/profile';
import { expect, test } from 'vitest';
import { treeOfTable } from './tree-of-table.ts';

/** Folded stacks; frames that begin with = are labels. */
function treeOf(text: string): FlameTree {
  const tree = new FlameTree();
  for (const line of text.split('\n')) {
    const [, path = '', value = '0'] = /^(.*) (\d+)$/.exec(line) ?? [];
    let node = 0;
    for (const name of path.split(';')) {
      const kind = FRAME_KINDS.indexOf(name.startsWith('=') ? 'label' : 'native');
      node = tree.child(node, tree.frames.intern(name, '', 'app', kind, 1));
    }
    tree.addSelf(node, Number(value));
  }
  return tree;
}

function stacksOf(tree: FlameTree): string[] {
  const paths = [''];
  const lines: string[] = [];
  for (let i = 0; i < tree.length; i++) {
    if (i > 0) paths[i] = `${paths[tree.parent[i]!]};${tree.frames.nameOf(tree.frame[i]!)}`;
    if (tree.self[i] !== 0) lines.push(`${paths[i]!.slice(1)} ${tree.self[i]}`);
  }
  return lines.sort();
}

const TEXT = '=h1;main;parse 30\n=h1;main;write 5\n=h1;main;write;flush 2\n=h2;main;parse 20\n=h2;main 1';

test('a whole table is the tree that it was made of', () => {
  const { table } = layoutFlameTree(treeOf(TEXT));
  expect(stacksOf(treeOfTable(table, false))).toEqual(TEXT.split('\n').sort());
});

test('without the group-by, groups are summed', () => {
  const { table } = layoutFlameTree(treeOf(TEXT));
  expect(stacksOf(treeOfTable(table, true))).toEqual([
    'main 1',
    'main;parse 50',
    'main;write 5',
    'main;write;flush 2',
  ]);
});

test('what was pruned stays in the totals, in rows that are no functions', () => {
  const { table, prunedValue } = layoutFlameTree(treeOf(TEXT), { maxNodes: 4 });
  const tree = treeOfTable(table, false);
  const pruned = stacksOf(tree).filter((line) => line.includes('(pruned)'));
  expect(pruned.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)).toBe(prunedValue);
  expect(tree.self.reduce((sum, value) => sum + value, 0)).toBe(58);
});
