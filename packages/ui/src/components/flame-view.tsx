import { useEffect, useRef } from 'react';
import type { FlameData } from '../flame/flame-data.ts';
import { FlameSurface } from '../flame/flame-surface.ts';
import type { Matches } from '../flame/search.ts';
import { usePage, useView } from './page-context.ts';
import { useSignal } from './use-signal.ts';

/**
 * The flame graph's place in the page. React renders three canvases once; all else goes through
 * `FlameSurface`.
 */
export function FlameView(props: {
  readonly data: FlameData;
  readonly matches: Matches | undefined;
  readonly selectedFrames: Uint8Array | undefined;
  readonly onSelect: (frame: number) => void;
}) {
  const { session, theme, announcement, surface } = usePage();
  const { focus, direction } = useView();
  const activeTheme = useSignal(theme.active);
  const { data, matches, selectedFrames, onSelect } = props;
  const host = useRef<HTMLDivElement>(null);
  const boxes = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const overview = useRef<HTMLCanvasElement>(null);
  const select = useRef(onSelect);
  useEffect(() => {
    select.current = onSelect;
  }, [onSelect]);

  useEffect(() => {
    if (
      host.current === null ||
      boxes.current === null ||
      marks.current === null ||
      overview.current === null
    ) {
      return undefined;
    }
    const created = new FlameSurface(
      host.current,
      { boxes: boxes.current, marks: marks.current, overview: overview.current },
      {
        onFocus: (path) => session.setView({ focus: path }, 'push'),
        onSelect: (frame) => select.current(frame),
        onAnnounce: (text) => announcement.set(text),
      },
    );
    surface.set(created);
    return () => {
      created.destroy();
      surface.set(undefined);
    };
  }, [session, announcement, surface]);
  // The order matters: direction and focus are known before the data is laid out.
  useEffect(() => surface.get()?.setDirection(direction), [surface, direction]);
  useEffect(() => surface.get()?.setFocus(focus), [surface, focus]);
  useEffect(
    () => surface.get()?.show({ data, matches, selectedFrames }),
    [surface, data, matches, selectedFrames],
  );
  useEffect(() => surface.get()?.setTheme(activeTheme), [surface, activeTheme]);

  return (
    <div
      ref={host}
      className="flame"
      role="tree"
      tabIndex={0}
      data-keys="flame"
      data-testid="flame-graph"
      aria-label="Flame graph: arrow keys move, Enter focuses, Escape goes back. The function table shows the same data."
    >
      <canvas ref={overview} className="flame-overview" aria-hidden="true" />
      <div className="flame-canvases" aria-hidden="true">
        <canvas ref={boxes} />
        <canvas ref={marks} className="flame-marks" data-testid="flame-canvas" />
      </div>
    </div>
  );
}
