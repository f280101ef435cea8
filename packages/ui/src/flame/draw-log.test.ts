import { flameTableFromFolded } from '@fleetflame/profile';
import { describe, expect, test } from 'vitest';
import { RecordingRenderer } from '../testing/recording-renderer.ts';
import { createBoxBatch } from './box-batch.ts';
import { colourFrames } from './colour.ts';
import { createCullScratch, cull } from './cull.ts';
import { layoutFlame } from './layout.ts';
import { frameName } from './navigate.ts';
import type { FlamePaint } from './renderer.ts';
import { createScene, fillScene } from './scene.ts';
import { matchFlame, parseQuery } from './search.ts';
import { wholeView, type Viewport } from './viewport.ts';

const PAINT: FlamePaint = {
  background: '',
  text: '',
  textFaded: '',
  labelBackground: '',
  labelText: '',
  labelDetail: '',
  hatch: '',
  hatchBackground: '',
  outline: '',
  hover: '',
  accent: '',
  match: '',
  fontFamily: 'monospace',
  fontPx: 10,
};

/** What is drawn of a folded profile at 400 x 100 CSS pixels. */
function drawLog(
  folded: string,
  options: { search?: string; view?: Partial<Viewport> } = {},
): readonly string[] {
  const table = flameTableFromFolded(folded);
  const layout = layoutFlame(table, { rowPx: 20, labelRowPx: 26 });
  const view: Viewport = {
    ...wholeView(layout),
    scrollPx: 0,
    widthPx: 400,
    heightPx: 100,
    pixelRatio: 1,
    direction: 'icicle',
    ...options.view,
  };
  const batch = createBoxBatch();
  cull(layout, view, batch, createCullScratch(layout.depthCount));
  const scene = createScene(batch);
  const colours = colourFrames(table.frames, { lightness: 0.8, chroma: 0.08, dark: false });
  fillScene(scene, {
    table,
    colours,
    matches: matchFlame(table, parseQuery(options.search ?? '')),
    pixelRatio: view.pixelRatio,
    advancePx: 6,
    boldAdvancePx: 6,
    amount: (value) => `${value}`,
  });
  const renderer = new RecordingRenderer((node) => frameName(table, node));
  renderer.drawBoxes(scene, colours, PAINT);
  return renderer.log;
}

const PROGRAM = `
  main;handle;parse 30
  main;handle;write 10
`;

describe('what is drawn', () => {
  test('every box has its share of the width, children from the left edge of their caller', () => {
    expect(drawLog(PROGRAM)).toEqual([
      'box all 0+400 y0 h20',
      'box main 0+400 y20 h20',
      'box handle 0+400 y40 h20',
      'box parse 0+300 y60 h20',
      'box write 300+100 y60 h20',
      'label all (40)',
      'label main',
      'label handle',
      'label parse',
      'label write',
    ]);
  });

  test('flipped, the root is at the bottom', () => {
    const boxes = drawLog(PROGRAM, { view: { direction: 'flame' } }).filter((line) => line.startsWith('box'));
    expect(boxes).toEqual([
      'box all 0+400 y80 h20',
      'box main 0+400 y60 h20',
      'box handle 0+400 y40 h20',
      'box parse 0+300 y20 h20',
      'box write 300+100 y20 h20',
    ]);
  });

  test('at two device pixels per CSS pixel everything is twice as large', () => {
    expect(drawLog(PROGRAM, { view: { pixelRatio: 2 } })).toContain('box write 600+200 y120 h40');
  });

  test('zoomed in, boxes are cut at the edges and what is outside is not drawn', () => {
    expect(drawLog(PROGRAM, { view: { start: 32, end: 40 } })).toEqual([
      'box all 0+400 y0 h20',
      'box main 0+400 y20 h20',
      'box handle 0+400 y40 h20',
      'box write 0+400 y60 h20',
      'label all (40)',
      'label main',
      'label handle',
      'label write',
    ]);
  });

  test('scrolled, rows above the edge are not drawn, and rows below it end the walk', () => {
    const boxes = drawLog(PROGRAM, { view: { scrollPx: 40, heightPx: 20 } }).filter((line) =>
      line.startsWith('box'),
    );
    expect(boxes).toEqual(['box handle 0+400 y0 h20']);
  });

  test('neighbours under two pixels become one hatched box that says how many they are', () => {
    const narrow = Array.from({ length: 50 }, (_, i) => `main;tiny${String(i).padStart(2, '0')} 1`).join(
      '\n',
    );
    expect(drawLog(`main;wide 950\n${narrow}`)).toEqual([
      'box all 0+400 y0 h20',
      'box main 0+400 y20 h20',
      'box wide 20+380 y40 h20',
      'merged 50 0+20 y40 h20',
      'label all (1000)',
      'label main',
      'label wide',
    ]);
  });

  test('a search fades what does not match, but never the rows of labels', () => {
    const boxes = drawLog(PROGRAM, { search: 'pars' }).filter((line) => line.startsWith('box'));
    expect(boxes).toEqual([
      'box all 0+400 y0 h20',
      'box main 0+400 y20 h20 faded',
      'box handle 0+400 y40 h20 faded',
      'box parse 0+300 y60 h20',
      'box write 300+100 y60 h20 faded',
    ]);
  });

  test('names that do not fit are shortened, and left out where three characters do not fit', () => {
    const log = drawLog('a::very_long_name_that_cannot_fit 16\nb 4\nz 80');
    expect(log).toContain('label very_lo…');
    expect(log.filter((line) => line.startsWith('label b'))).toEqual([]);
  });
});
