import { useCallback, useDeferredValue, useMemo, useState } from 'react';
import { FRAME_KINDS, type FrameKind } from '@fleetflame/profile';
import { colourFrames, kindColour, type FlameTheme } from '../flame/colour.ts';
import { frameIds, framesOf } from '../flame/frame-ids.ts';
import { KIND_NAMES } from '../flame/frame-kinds.ts';
import { matchFlame, parseQuery, type Matches } from '../flame/search.ts';
import { counted, formatAmount, integer, percent, type Quantity } from '../quantity/format.ts';
import type { FlameAnswer, TopAnswer, TopRow } from '../session/answers.ts';
import { LAYOUTS, type Layout } from '../url/view-state.ts';
import { Breadcrumbs } from './breadcrumbs.tsx';
import { NoSamples } from './empty-states.tsx';
import { FlameView } from './flame-view.tsx';
import { FunctionDetails } from './function-details.tsx';
import { FunctionTable } from './function-table.tsx';
import { BinaryIcon, FlameLayoutIcon, FlipIcon, SplitIcon, TableIcon } from './icons.tsx';
import { usePage, useView } from './page-context.ts';
import { RegionBoundary, RegionError } from './region-error.tsx';
import { SearchBox } from './search-box.tsx';
import { FlameSkeleton, TableSkeleton } from './skeletons.tsx';
import { SymbolsView } from './symbols-view.tsx';
import { filterRows } from './table-rows.ts';
import { useFlameData, useQuantity } from './use-answers.ts';
import { usePageCommands } from './use-page-commands.ts';
import { useSignal } from './use-signal.ts';

const INLINED_KIND = FRAME_KINDS.indexOf('inlined');

const LAYOUT_NAMES: Readonly<Record<Layout, string>> = {
  split: 'Split',
  flame: 'Flame graph',
  table: 'Table',
  symbols: 'Binaries',
};
const LAYOUT_ICONS = {
  split: SplitIcon,
  flame: FlameLayoutIcon,
  table: TableIcon,
  symbols: BinaryIcon,
} as const;

/** Flame graph and function table, with the search that they share. */
export function Explorer() {
  const { session, surface } = usePage();
  const view = useView();
  const flame = useSignal(session.flame.state);
  const top = useSignal(session.top.state);
  const quantity = useQuantity();
  const [cycled, setCycled] = useState<{ readonly of: Matches | undefined; readonly number: number }>();
  const theme = useFlameTheme();

  const data = useFlameData(flame.value, quantity);
  const search = useDeferredValue(view.search);
  const query = useMemo(() => parseQuery(search), [search]);
  const matches = useMemo(
    () => (data === undefined ? undefined : matchFlame(data.table, query)),
    [data, query],
  );
  const position = cycled !== undefined && cycled.of === matches ? cycled.number : 0;
  const selectedFrames = useMemo(
    () => (data === undefined ? undefined : framesOf(data.table.frames, view.selected)),
    [data, view.selected],
  );
  const selectFrame = useCallback(
    (frame: number) => {
      if (data === undefined) return;
      session.setView({ selected: frameIds(data.table.frames)[frame] ?? '' }, 'replace');
    },
    [data, session],
  );
  const cycle = useCallback(
    (step: 1 | -1) => {
      const at = surface.get()?.cycleMatch(step);
      if (at !== undefined) setCycled({ of: matches, number: at.number });
      return at !== undefined;
    },
    [surface, matches],
  );
  usePageCommands(cycle);
  const colourOf = useRowColours(flame.value, theme);
  const shownRows = useMemo(() => filterRows(top.value?.functions ?? [], query), [top.value, query]);

  const selectedRow = useMemo(
    () => top.value?.functions.find(({ id }) => id === view.selected),
    [top.value, view.selected],
  );

  const total = flame.value?.total ?? 0;
  if (flame.value !== undefined && flame.failure === undefined && total === 0 && !flame.isLoading) {
    return <NoSamples answer={flame.value} />;
  }
  return (
    <section className={`explorer layout-${view.layout}`} aria-label="Explore">
      <div className="toolbar">
        <div className="segmented" role="radiogroup" aria-label="Layout">
          {LAYOUTS.map((layout) => {
            const Icon = LAYOUT_ICONS[layout];
            return (
              <button
                key={layout}
                type="button"
                role="radio"
                aria-checked={view.layout === layout}
                data-testid={`layout-${layout}`}
                title={LAYOUT_NAMES[layout]}
                onClick={() => session.setView({ layout }, 'push')}
              >
                <Icon />
                <span>{LAYOUT_NAMES[layout]}</span>
              </button>
            );
          })}
        </div>
        <SearchBox
          query={query}
          matches={matches}
          total={total}
          isPruned={(flame.value?.prunedNodes ?? 0) > 0}
          position={position}
          onCycle={cycle}
        />
        <span className="toolbar-space" />
        {flame.value !== undefined && view.layout !== 'symbols' && (
          <KindLegend answer={flame.value} theme={theme} />
        )}
      </div>
      <div className="panels">
        {view.layout === 'symbols' && (
          <RegionBoundary name="binaries">
            <SymbolsView quantity={quantity} query={query} />
          </RegionBoundary>
        )}
        {(view.layout === 'split' || view.layout === 'flame') && (
          <div className="panel flame-panel">
            <header className="region-header">
              <Breadcrumbs rootWords={`all · ${formatAmount(total, quantity)}`} />
              <button
                type="button"
                className="icon-button small"
                data-testid="flip"
                aria-label={
                  view.direction === 'icicle' ? 'Put the root at the bottom' : 'Put the root at the top'
                }
                title={`${view.direction === 'icicle' ? 'Root at the bottom' : 'Root at the top'} (i)`}
                onClick={() =>
                  session.setView({ direction: view.direction === 'icicle' ? 'flame' : 'icicle' }, 'replace')
                }
              >
                <FlipIcon />
              </button>
            </header>
            {flame.failure !== undefined && (
              <RegionError
                failure={flame.failure}
                hasData={flame.value !== undefined}
                retry={() => void session.refresh()}
              />
            )}
            {flame.value?.focusMissing === true && !flame.isLoading && (
              <div className="banner" role="status">
                <div>The focused box is not in this data.</div>
                <button
                  type="button"
                  className="button small"
                  onClick={() => session.setView({ focus: [] }, 'push')}
                >
                  Show all
                </button>
              </div>
            )}
            <RegionBoundary name="flame graph">
              {data === undefined ? (
                flame.failure === undefined && <FlameSkeleton />
              ) : (
                <FlameView
                  data={data}
                  matches={matches}
                  selectedFrames={selectedFrames}
                  onSelect={selectFrame}
                />
              )}
            </RegionBoundary>
          </div>
        )}
        {(view.layout === 'split' || view.layout === 'table') && (
          <div className="panel table-panel">
            <header className="region-header">
              <h2>Functions</h2>
              {top.value !== undefined && (
                <span className="muted">
                  {query.kind === 'match' && `${integer(shownRows.length)} of `}
                  {integer(top.value.functions.length + top.value.omittedFunctions)}
                </span>
              )}
              <span className="muted hint">{unitHint(quantity)}</span>
            </header>
            {top.failure !== undefined && (
              <RegionError
                failure={top.failure}
                hasData={top.value !== undefined}
                retry={() => void session.refresh()}
              />
            )}
            <RegionBoundary name="function table">
              {top.value === undefined ? (
                top.failure === undefined && <TableSkeleton />
              ) : (
                <FunctionTable
                  answer={top.value}
                  rows={shownRows}
                  isFiltered={query.kind === 'match'}
                  quantity={quantity}
                  colourOf={colourOf}
                />
              )}
            </RegionBoundary>
            <RegionBoundary name="function details">
              <FunctionDetails row={selectedRow} total={total} quantity={quantity} />
            </RegionBoundary>
          </div>
        )}
      </div>
      <StatusBar flame={flame.value} top={top.value} quantity={quantity} />
    </section>
  );
}

function unitHint(quantity: Quantity): string {
  return quantity.sampleType === 'cpu' ? 'in cores' : '';
}

/** Lightness and chroma of boxes in the theme in force. */
function useFlameTheme(): FlameTheme {
  const { theme } = usePage();
  const active = useSignal(theme.active);
  return useMemo(() => {
    const style = getComputedStyle(document.documentElement);
    return {
      lightness: Number(style.getPropertyValue('--flame-lightness')),
      chroma: Number(style.getPropertyValue('--flame-chroma')),
      dark: active === 'dark',
    };
  }, [active]);
}

/** Rows have the colour of their boxes; a function without a box has that of its kind. */
function useRowColours(answer: FlameAnswer | undefined, theme: FlameTheme): (row: TopRow) => string {
  return useMemo(() => {
    const byId = new Map<string, string>();
    if (answer !== undefined) {
      const { frames } = answer.table;
      const colours = colourFrames(frames, theme);
      frameIds(frames).forEach((id, frame) => {
        // A function that is inlined, too, has the colour of where it is called.
        if (byId.has(id) && frames.kind[frame] === INLINED_KIND) return;
        byId.set(id, colours.fill[colours.ofFrame[frame]!] ?? '');
      });
    }
    return (row) =>
      byId.get(row.id) ?? kindColour(FRAME_KINDS.find((kind) => kind === row.kind) ?? 'unknown', theme);
  }, [answer, theme]);
}

const LEGEND_KINDS: readonly FrameKind[] = [
  'kernel',
  'native',
  'inlined',
  'jit',
  'interpreted',
  'unknown',
  'stopped',
];

function KindLegend(props: { readonly answer: FlameAnswer; readonly theme: FlameTheme }) {
  const { answer, theme } = props;
  const present = useMemo(() => {
    const kinds = new Set(answer.table.frames.kind);
    return LEGEND_KINDS.filter((kind) => kinds.has(FRAME_KINDS.indexOf(kind)));
  }, [answer]);
  return (
    <ul className="kinds" aria-label="Kinds of code">
      {present.map((kind) => (
        <li key={kind}>
          <span
            className={`kind-swatch kind-${kind}`}
            style={kind === 'stopped' ? undefined : { background: kindColour(kind, theme) }}
            aria-hidden="true"
          />
          {KIND_NAMES[kind]}
        </li>
      ))}
    </ul>
  );
}

function StatusBar(props: {
  readonly flame: FlameAnswer | undefined;
  readonly top: TopAnswer | undefined;
  readonly quantity: Quantity;
}) {
  const { flame, quantity } = props;
  const coverage = flame?.coverage;
  if (flame === undefined || coverage === undefined) return <footer className="status-bar" />;
  return (
    <footer className="status-bar" data-testid="status-bar">
      <span>{counted(coverage.sampleRows, 'row')}</span>
      <span>{integer(coverage.series)} series</span>
      <span>{counted(coverage.blocksAnswered, 'block')}</span>
      <span>{coverage.bytesRead === 0n ? 'from memory' : `${formatBytes(coverage.bytesRead)} read`}</span>
      <span>{counted(flame.table.length - 1, 'box', 'boxes')}</span>
      {coverage.framesTooDeep > 0n && (
        <span className="warn">{counted(coverage.framesTooDeep, 'frame')} too deep to be drawn</span>
      )}
      <span>
        {flame.prunedNodes === 0
          ? 'nothing left out'
          : `${counted(flame.prunedNodes, 'narrow box', 'narrow boxes')} left out: ${formatAmount(flame.prunedValue, quantity)} (${percent(flame.prunedValue, flame.total)}); focus to fetch them`}
      </span>
    </footer>
  );
}

function formatBytes(size: bigint): string {
  const mb = Number(size) / 1e6;
  return mb >= 1 ? `${mb.toFixed(1)} MB` : `${(Number(size) / 1e3).toFixed(0)} kB`;
}
