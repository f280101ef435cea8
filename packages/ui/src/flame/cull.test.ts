import { flameTableFromFolded, FlameTree, layoutFlameTree } from '@fleetflame/profile';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { syntheticFlame } from '../testing/synthetic-flame.ts';
import { BOX_MERGED, BOX_NODE, BOX_PRUNED, createBoxBatch, MAX_BOXES } from './box-batch.ts';
import { createCullScratch, cull } from './cull.ts';
import { hitTest } from './hit-test.ts';
import { layoutFlame, prunedValue, type FlameLayout } from './layout.ts';
import { wholeView, zoomBy, type Viewport } from './viewport.ts';

const METRICS = { rowPx: 20, labelRowPx: 26 };

function viewOf(layout: FlameLayout, change: Partial<Viewport> = {}): Viewport {
  return {
    ...wholeView(layout),
    scrollPx: 0,
    widthPx: 1000,
    heightPx: 800,
    pixelRatio: 1,
    direction: 'icicle',
    ...change,
  };
}

describe('cull', () => {
  test('the boxes of a row never overlap, and none is outside the view', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.double({ min: 1, max: 1e6, noNaN: true }),
        (seed, factor) => {
          const layout = layoutFlame(syntheticFlame(2000, seed), METRICS);
          const view = zoomBy(layout, viewOf(layout), factor, seed % 1000);
          const batch = createBoxBatch();
          cull(layout, view, batch, createCullScratch(layout.depthCount));
          const rows = new Map<number, [number, number][]>();
          for (let i = 0; i < batch.length; i++) {
            const row = rows.get(batch.y[i]!) ?? [];
            row.push([batch.x[i]!, batch.x[i]! + batch.width[i]!]);
            rows.set(batch.y[i]!, row);
            expect(batch.x[i]! + batch.width[i]!).toBeGreaterThan(-0.001);
            expect(batch.x[i]!).toBeLessThanOrEqual(1000);
          }
          for (const row of rows.values()) {
            row.sort((a, b) => a[0] - b[0]);
            // A merged run is drawn at least one pixel wide.
            for (let i = 1; i < row.length; i++) expect(row[i]![0]).toBeGreaterThan(row[i - 1]![1] - 1.01);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('the work follows what is visible, not the size of the table', () => {
    const layout = layoutFlame(syntheticFlame(300_000, 1), METRICS);
    const result = cull(layout, viewOf(layout), createBoxBatch(), createCullScratch(layout.depthCount));
    expect(result.visited).toBeLessThan(60_000);
  });

  test('more boxes than the batch holds are merged until they fit', () => {
    const layout = layoutFlame(syntheticFlame(20_000, 3), METRICS);
    const small = createBoxBatch(200);
    const result = cull(layout, viewOf(layout), small, createCullScratch(layout.depthCount));
    expect(small.length).toBeLessThanOrEqual(200);
    expect(result.narrowest).toBeGreaterThan(2);
    expect(MAX_BOXES).toBe(createBoxBatch().x.length);
  });

  test('what was pruned is drawn below its caller, with its value', () => {
    const tree = flameTableFromFolded('main;wide 60\nmain;a 20\nmain;b 20');
    expect(prunedValue(tree, 1)).toBe(0);
    const { table } = layoutFlameTree(treeOf('main;wide 60;main;a 20;main;b 20'), { maxNodes: 3 });
    const layout = layoutFlame(table, METRICS);
    const batch = createBoxBatch();
    cull(layout, viewOf(layout), batch, createCullScratch(layout.depthCount));
    const at = batch.form.subarray(0, batch.length).indexOf(BOX_PRUNED);
    expect([batch.count[at], batch.value[at], batch.x[at], batch.width[at]]).toEqual([2, 40, 600, 400]);
    expect(prunedValue(table, 1)).toBe(40);
  });
});

/** 'a;b 1;c;d 2' in pairs of stack and value. */
function treeOf(text: string): FlameTree {
  const tree = new FlameTree();
  for (const match of text.matchAll(/([^ ]+) (\d+);?/gu)) {
    let node = 0;
    for (const name of (match[1] ?? '').split(';'))
      node = tree.child(node, tree.frames.intern(name, '', '', 1, 1));
    tree.addSelf(node, Number(match[2]));
  }
  return tree;
}

describe('hit test', () => {
  test('the box under the pointer is the one that is drawn there', () => {
    const table = flameTableFromFolded('main;handle;parse 30\nmain;handle;write 10');
    const layout = layoutFlame(table, METRICS);
    const batch = createBoxBatch();
    cull(layout, viewOf(layout, { widthPx: 400 }), batch, createCullScratch(layout.depthCount));
    expect(hitTest(batch, 350, 65)).toEqual({ form: BOX_NODE, node: 4, count: 1, value: 10 });
    expect(hitTest(batch, 299, 79)?.node).toBe(3);
    expect(hitTest(batch, 10, 0)?.node).toBe(0);
    expect(hitTest(batch, 10, 81)).toBeUndefined();
  });

  test('a merged box answers with how many it stands for', () => {
    const narrow = Array.from({ length: 50 }, (_, i) => `main;tiny${String(i).padStart(2, '0')} 1`).join(
      '\n',
    );
    const layout = layoutFlame(flameTableFromFolded(`main;wide 950\n${narrow}`), METRICS);
    const batch = createBoxBatch();
    cull(layout, viewOf(layout, { widthPx: 400 }), batch, createCullScratch(layout.depthCount));
    expect(hitTest(batch, 5, 45)).toMatchObject({ form: BOX_MERGED, count: 50, value: 50 });
  });
});
