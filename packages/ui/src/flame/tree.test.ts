import { flameTableFromFolded, layoutFlameTree, FlameTree, type FlameTable } from '@fleetflame/profile';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { syntheticFlame } from '../testing/synthetic-flame.ts';
import {
  findPath,
  frameName,
  nextSibling,
  parentOf,
  pathOf,
  previousSibling,
  stepName,
  widestChild,
} from './navigate.ts';
import { spliceSubtree } from './splice.ts';

const TABLE = flameTableFromFolded(`
  api;main;parse 30
  api;main;write 50
  db;main@postgres 5
  db;main@node;loop 7
`);
const name = (node: number | undefined) => (node === undefined ? undefined : frameName(TABLE, node));

describe('walking the tree', () => {
  test('from a box to its caller, its widest callee and its neighbours', () => {
    const main = findPath(TABLE, ['api', 'main'])!;
    expect(name(parentOf(TABLE, main))).toBe('api');
    expect(name(widestChild(TABLE, main))).toBe('write');
    const parse = findPath(TABLE, ['api', 'main', 'parse'])!;
    expect(name(nextSibling(TABLE, parse))).toBe('write');
    expect(name(previousSibling(TABLE, nextSibling(TABLE, parse)!))).toBe('parse');
    expect(nextSibling(TABLE, 0)).toBeUndefined();
    expect(previousSibling(TABLE, parse)).toBeUndefined();
  });

  test('a path leads back to its box, also where siblings share a name', () => {
    for (let node = 0; node < TABLE.length; node++) expect(findPath(TABLE, pathOf(TABLE, node))).toBe(node);
    const loop = pathOf(TABLE, findPath(TABLE, ['db', 'main', 'loop'])!);
    expect(loop.map((step) => stepName(step))).toEqual(['db', 'main', 'loop']);
  });

  test('a path that is not there leads nowhere', () => {
    expect(findPath(TABLE, ['api', 'gone'])).toBeUndefined();
  });
});

/** Every row in words: what must be equal for two tables to look the same. */
function rows(table: FlameTable): string[] {
  return Array.from(
    { length: table.length },
    (_, i) =>
      `${table.depth[i]} ${frameName(table, i)} ${table.total[i]} ${table.self[i]} ${table.parent[i]} ${table.subtreeEnd[i]}`,
  );
}

describe('putting details into a pruned table', () => {
  test('with all details in it, the table is the one that was never pruned', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 3, max: 60 }), (seed, maxNodes) => {
        const tree = treeOf(syntheticFlame(120, seed));
        const full = layoutFlameTree(tree).table;
        let table = layoutFlameTree(tree, { maxNodes }).table;
        for (let guard = 0; guard < 200; guard++) {
          const node = table.prunedNodes.findIndex((count, row) => count > 0 && row > 0);
          if (node < 0) break;
          const path = pathOf(table, node);
          const detail = layoutFlameTree(tree, { focus: path.map((step) => stepName(step)) }).table;
          const next = spliceSubtree(table, node, detail, findPath(detail, path)!);
          expect(next).toBeDefined();
          table = next ?? table;
        }
        // Below the root itself parts may stay pruned: there is no path to ask for.
        expect(table.prunedNodes[0] === 0 ? rows(table) : rows(full)).toEqual(rows(full));
        expect(table.total[0]).toBe(full.total[0]);
      }),
      { numRuns: 60 },
    );
  });

  test('a detail with another total is refused', () => {
    const other = flameTableFromFolded('api;main;parse 31');
    expect(spliceSubtree(TABLE, 1, other, 1)).toBeUndefined();
  });
});

function treeOf(table: FlameTable): FlameTree {
  const tree = new FlameTree();
  const nodeOf = new Int32Array(table.length);
  for (let row = 1; row < table.length; row++) {
    nodeOf[row] = tree.child(
      nodeOf[table.parent[row]!]!,
      tree.frames.intern(frameName(table, row), '', '', 1, 1),
    );
    tree.addSelf(nodeOf[row]!, table.self[row]!);
  }
  return tree;
}
