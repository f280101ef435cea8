import '../../src/styles/tokens.css';
import '../../src/styles/base.css';
import '../../src/styles/regions.css';
import './measure.css';
import { FlameSurface } from '../../src/flame/flame-surface.ts';
import { syntheticFlame } from '../../src/testing/synthetic-flame.ts';

/** What one run over a number of nodes took, in milliseconds. */
export interface FrameTimes {
  readonly nodes: number;
  /** Layout, colours and the first picture. */
  readonly firstMs: number;
  /** Boxes of the whole view. */
  readonly boxes: number;
  /** One entry for each frame: culling, scene, drawing and raster, waited for. */
  readonly framesMs: readonly number[];
  /** The same without waiting for the raster: what the main thread is blocked for. */
  readonly scriptMs: readonly number[];
}

declare global {
  interface Window {
    measureFrames: (nodes: number) => Promise<FrameTimes>;
  }
}

const FRAMES_PER_GESTURE = 60;

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`#${id} is missing`);
  return found;
}

window.measureFrames = async (nodes) => {
  const boxes = element('boxes', HTMLCanvasElement);
  const marks = element('marks', HTMLCanvasElement);
  const surface = new FlameSurface(
    element('host', HTMLDivElement),
    { boxes, marks, overview: element('overview', HTMLCanvasElement) },
    { onFocus: () => undefined, onSelect: () => undefined, onAnnounce: () => undefined },
  );
  surface.setTheme('dark');
  const table = syntheticFlame(nodes, 1);
  // The surface learns its size from the browser.
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const context = boxes.getContext('2d');
  // Reading a pixel back ends only when everything before it has been rastered.
  const raster = (): unknown => context?.getImageData(0, 0, 1, 1);

  const started = performance.now();
  surface.show({
    data: { table, quantity: { unit: 'nanoseconds', sampleType: 'cpu', spanMs: 60_000 }, period: 1 },
    matches: undefined,
    selectedFrames: undefined,
  });
  const drawn = surface.drawNow();
  raster();
  const firstMs = performance.now() - started;

  const framesMs: number[] = [];
  const scriptMs: number[] = [];
  const wheel = (init: WheelEventInit): void => {
    marks.dispatchEvent(new WheelEvent('wheel', { clientX: 400, clientY: 200, cancelable: true, ...init }));
    const from = performance.now();
    surface.drawNow();
    scriptMs.push(performance.now() - from);
    raster();
    framesMs.push(performance.now() - from);
  };
  for (let i = 0; i < FRAMES_PER_GESTURE; i++) wheel({ ctrlKey: true, deltaY: -12 });
  for (let i = 0; i < FRAMES_PER_GESTURE; i++) wheel({ deltaX: 25, deltaY: i < 30 ? 8 : -8 });
  for (let i = 0; i < FRAMES_PER_GESTURE; i++) wheel({ ctrlKey: true, deltaY: 12 });
  surface.destroy();
  return { nodes, firstMs, boxes: drawn, framesMs, scriptMs };
};
