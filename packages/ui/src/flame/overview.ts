import type { FlameLayout } from './layout.ts';
import type { FlamePaint } from './renderer.ts';
import type { Matches } from './search.ts';
import type { Viewport } from './viewport.ts';

/**
 * The strip above the flame graph: the whole width at all times, with a tick for every match and a
 * window over what is on screen.
 */
export function drawOverview(
  canvas: HTMLCanvasElement,
  layout: FlameLayout,
  view: Viewport,
  matches: Matches | undefined,
  paint: FlamePaint,
): void {
  const ratio = view.pixelRatio;
  const width = Math.round(view.widthPx * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d');
  const total = layout.table.total[0] ?? 0;
  if (context === null || total <= 0 || width === 0) return;
  context.clearRect(0, 0, width, height);
  context.fillStyle = paint.hatchBackground;
  context.fillRect(0, 0, width, height);
  const x0 = (view.start / total) * width;
  const x1 = (view.end / total) * width;
  const isZoomed = x1 - x0 < width - 0.5;
  if (isZoomed) {
    context.globalAlpha = 0.3;
    context.fillStyle = paint.accent;
    context.fillRect(x0, 0, Math.max(2, x1 - x0), height);
    context.globalAlpha = 1;
  }
  if (matches !== undefined) {
    context.fillStyle = paint.match;
    let drawnTo = -1;
    for (const node of matches.nodes) {
      const from = Math.floor((layout.left[node]! / total) * width);
      const to = Math.max(from + ratio, ((layout.left[node]! + layout.table.total[node]!) / total) * width);
      if (to <= drawnTo) continue;
      context.fillRect(Math.max(from, drawnTo), height * 0.2, to - Math.max(from, drawnTo), height * 0.6);
      drawnTo = to;
    }
  }
  if (isZoomed) {
    context.fillStyle = paint.accent;
    context.fillRect(x0, 0, 2 * ratio, height);
    context.fillRect(Math.max(x0 + 2 * ratio, x1 - 2 * ratio), 0, 2 * ratio, height);
  }
}
