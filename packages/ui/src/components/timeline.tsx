import { shownUnit } from '@fleetflame/profile';
import { useEffect, useMemo, useRef, useState } from 'react';
import {
  cores,
  formatAmount,
  isCores,
  percent,
  quantityName,
  roundNumber,
  threeDigits,
  type Quantity,
} from '../quantity/format.ts';
import { ChartSurface } from '../series/chart-surface.ts';
import { SERIES_COLOURS, seriesPalette } from '../series/series-colours.ts';
import { stackSeries, type StackedSeries } from '../series/stacked-series.ts';
import type { PresenceAnswer, SeriesAnswer } from '../session/answers.ts';
import { formatClock, formatDuration } from '../time/range.ts';
import { usePage } from './page-context.ts';
import { ChartByPicker } from './pickers.tsx';
import { RegionError } from './region-error.tsx';
import { useQuantity } from './use-answers.ts';
import { useNow } from './use-now.ts';
import { useSignal } from './use-signal.ts';

/** Usage over time, stacked by a label; a brush chooses a time range. */
export function Timeline() {
  const { session, theme } = usePage();
  const state = useSignal(session.series.state);
  const presence = useSignal(session.presence.state).value;
  const quantity = useQuantity();
  const activeTheme = useSignal(theme.active);
  const [hover, setHover] = useState<number>();
  const [highlight, setHighlight] = useState(-1);
  const answer = state.value;
  const series = useMemo(
    () => (answer === undefined ? undefined : stack(answer, presence, quantity)),
    [answer, presence, quantity],
  );
  return (
    <section className="timeline" aria-label={`${quantityName(quantity)} over time`} data-testid="timeline">
      <header className="region-header">
        <h2>{isCores(quantity) ? 'CPU cores over time' : `${quantityName(quantity)} over time`}</h2>
        <ChartByPicker />
        <span className="muted hint">
          {answer === undefined ? '' : `${formatDuration(answer.stepMs)} per step · drag to choose a range`}
        </span>
      </header>
      {state.failure !== undefined && (
        <RegionError
          failure={state.failure}
          hasData={answer !== undefined}
          retry={() => void session.refresh()}
        />
      )}
      {answer === undefined || series === undefined ? (
        state.failure === undefined && <ChartSkeleton />
      ) : (
        <div className="timeline-body">
          <Chart
            answer={answer}
            series={series}
            quantity={quantity}
            highlight={highlight}
            theme={activeTheme}
            onHover={setHover}
          />
          <Legend
            series={series}
            quantity={quantity}
            dark={activeTheme === 'dark'}
            step={hover}
            groupBy={answer.groupBy}
            onHighlight={setHighlight}
          />
        </div>
      )}
    </section>
  );
}

function stack(
  answer: SeriesAnswer,
  presence: PresenceAnswer | undefined,
  quantity: Quantity,
): StackedSeries {
  return stackSeries(answer.times, answer.groups, {
    stepMs: answer.stepMs,
    scale: isCores(quantity) ? cores(1, { unit: quantity.unit, spanMs: answer.stepMs }) : 1,
    fromMs: answer.window.fromMs,
    endMs: presence?.span.toMs ?? answer.window.toMs,
    colours: SERIES_COLOURS,
  });
}

/** A number of the axis, in the unit of its largest: whole and round there. */
function axisAmount(value: number, peak: number, quantity: Quantity): string {
  const { size, suffix } = shownUnit(peak, quantity);
  return `${roundNumber(value / size)} ${suffix}`.trimEnd();
}

function Chart(props: {
  readonly answer: SeriesAnswer;
  readonly series: StackedSeries;
  readonly quantity: Quantity;
  readonly highlight: number;
  readonly theme: 'light' | 'dark';
  readonly onHover: (step: number | undefined) => void;
}) {
  const { session } = usePage();
  const { answer, series, quantity, highlight, theme, onHover } = props;
  const areas = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const surface = useRef<ChartSurface>(null);
  useEffect(() => {
    if (areas.current === null || marks.current === null) return undefined;
    const created = new ChartSurface(areas.current, marks.current, {
      onHover,
      onBrush: (fromMs, toMs) => session.setView({ range: { kind: 'absolute', fromMs, toMs } }, 'push'),
    });
    surface.current = created;
    return () => created.destroy();
  }, [session, onHover]);
  useEffect(() => {
    surface.current?.setData({
      series,
      fromMs: answer.window.fromMs,
      toMs: answer.window.toMs,
      formatValue: (value) =>
        isCores(quantity) ? roundNumber(value) : axisAmount(value, series.peak, quantity),
      unitSize: isCores(quantity) ? 1 : shownUnit(series.peak, quantity).size,
      highlight,
    });
  }, [series, answer, quantity, highlight]);
  useEffect(() => surface.current?.setTheme(theme), [theme]);
  const peak = isCores(quantity) ? `${threeDigits(series.peak)} cores` : formatAmount(series.peak, quantity);
  return (
    <div className="chart" role="img" aria-label={`Chart; the highest step is ${peak}.`}>
      <canvas ref={areas} aria-hidden="true" />
      <canvas ref={marks} aria-hidden="true" className="chart-marks" data-testid="chart" />
    </div>
  );
}

function Legend(props: {
  readonly series: StackedSeries;
  readonly quantity: Quantity;
  readonly dark: boolean;
  /** The step under the pointer; undefined shows the average. */
  readonly step: number | undefined;
  readonly groupBy: string;
  readonly onHighlight: (band: number) => void;
}) {
  const { series, quantity, step } = props;
  const palette = seriesPalette(props.dark);
  const now = useNow();
  const at = step !== undefined && step < series.times.length ? step : undefined;
  const whole = series.bands.reduce(
    (sum, band) => sum + (at === undefined ? band.total : band.values[at]!),
    0,
  );
  const words = (value: number): string => {
    if (at === undefined) return formatAmount(value, quantity).replace(' cores', '');
    return isCores(quantity) ? threeDigits(value) : formatAmount(value, quantity);
  };
  const title = at === undefined ? 'Average' : formatClock(series.times[at]!, now);
  return (
    <div className="legend" data-testid="chart-legend" onPointerLeave={() => props.onHighlight(-1)}>
      <div className="legend-title">
        <span>{title}</span>
        <span className="number">{words(whole)}</span>
        <span className="number">{isCores(quantity) ? 'cores' : ''}</span>
      </div>
      <ul>
        {series.bands.map((band, i) => {
          const value = at === undefined ? band.total : band.values[at]!;
          return (
            <li key={band.rest ? '\u0000rest' : band.name} onPointerEnter={() => props.onHighlight(i)}>
              <span
                className="swatch"
                style={{ background: band.rest ? palette.rest : palette.bands[band.colour] }}
                aria-hidden="true"
              />
              <span className={`legend-name ${band.rest ? 'muted' : ''}`} title={band.name}>
                {band.rest ? 'all others' : band.name}
              </span>
              <span className="number">{words(value)}</span>
              <span className="number muted">{percent(value, whole)}</span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function ChartSkeleton() {
  return (
    <div className="timeline-body" aria-busy="true" aria-label="Loading the chart">
      <div className="chart chart-skeleton">
        {Array.from({ length: 24 }, (_, i) => (
          <span key={i} className="skeleton" style={{ height: `${35 + ((i * 37) % 50)}%` }} />
        ))}
      </div>
      <div className="legend">
        {Array.from({ length: 5 }, (_, i) => (
          <span key={i} className="skeleton" style={{ width: `${90 - i * 12}%`, height: 12 }} />
        ))}
      </div>
    </div>
  );
}
