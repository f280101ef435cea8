import { useState } from 'react';
import {
  formatAge,
  formatClock,
  formatOffset,
  formatDuration,
  fromLocalInput,
  LIVE_PRESETS,
  toLocalInput,
  widenWindow,
} from '../time/range.ts';
import { ChevronIcon, PauseIcon, PlayIcon, ZoomOutIcon } from './icons.tsx';
import { usePage, useView } from './page-context.ts';
import { Popover } from './popover.tsx';
import { useNow } from './use-now.ts';
import { useSignal } from './use-signal.ts';

/** Which time is looked at: live up to now, paused, or from–to. */
export function TimeControl() {
  const { session } = usePage();
  const { range } = useView();
  const window = useSignal(session.window);
  const isPaused = useSignal(session.isPaused);
  const now = useNow();
  const isLive = range.kind === 'last';
  const words = isLive
    ? `last ${formatDuration(range.lastMs)}`
    : `${formatClock(window.fromMs, now)} – ${formatClock(window.toMs, now)}`;
  return (
    <div className="time-control">
      <Popover
        label="Time range"
        testId="time-range"
        buttonClass="button picker"
        align="end"
        button={
          <>
            <span className={`live-dot ${isLive && !isPaused ? 'is-live' : ''}`} aria-hidden="true" />
            {isLive && <span>{isPaused ? 'Paused' : 'Live'} ·</span>}{' '}
            <span className="picker-value">{words}</span>
            <ChevronIcon />
          </>
        }
      >
        {(close) => <RangePanel close={close} />}
      </Popover>
      {isLive ? (
        <button
          type="button"
          className="icon-button"
          data-testid="pause"
          aria-label={isPaused ? 'Go on with live data' : 'Pause live data'}
          title={isPaused ? 'Go on with live data (L)' : 'Pause live data (L)'}
          aria-pressed={isPaused}
          onClick={() => session.setPaused(!isPaused)}
        >
          {isPaused ? <PlayIcon /> : <PauseIcon />}
        </button>
      ) : (
        <button
          type="button"
          className="icon-button"
          aria-label="Twice the time range"
          title="Twice the time range"
          data-testid="time-zoom-out"
          onClick={() => session.setView({ range: widenWindow(window, Date.now()) }, 'push')}
        >
          <ZoomOutIcon />
        </button>
      )}
    </div>
  );
}

function RangePanel(props: { readonly close: () => void }) {
  const { session } = usePage();
  const { range } = useView();
  // As it was when the panel opened: what is shown and not changed is kept, to the millisecond and in either
  // hour of the night in which clocks are set back.
  const [window] = useState(() => session.window.get());
  const [from, setFrom] = useState(() => toLocalInput(window.fromMs));
  const [to, setTo] = useState(() => toLocalInput(window.toMs));
  const fromMs = from === toLocalInput(window.fromMs) ? window.fromMs : fromLocalInput(from);
  const toMs = to === toLocalInput(window.toMs) ? window.toMs : fromLocalInput(to);
  const isValid = fromMs !== undefined && toMs !== undefined && fromMs < toMs;
  return (
    <div className="range-panel">
      <div className="menu" role="radiogroup" aria-label="Live">
        {LIVE_PRESETS.map((lastMs) => {
          const isChosen = range.kind === 'last' && range.lastMs === lastMs;
          return (
            <button
              key={lastMs}
              type="button"
              role="radio"
              aria-checked={isChosen}
              data-autofocus={isChosen ? '' : undefined}
              onClick={() => {
                session.setPaused(false);
                session.setView({ range: { kind: 'last', lastMs } }, 'push');
                props.close();
              }}
            >
              Last {formatDuration(lastMs)}
            </button>
          );
        })}
      </div>
      <form
        className="absolute-range"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isValid) return;
          session.setView({ range: { kind: 'absolute', fromMs, toMs } }, 'push');
          props.close();
        }}
      >
        <label>
          From
          <input
            type="datetime-local"
            step="1"
            value={from}
            onChange={(event) => setFrom(event.target.value)}
          />
        </label>
        <label>
          To
          <input type="datetime-local" step="1" value={to} onChange={(event) => setTo(event.target.value)} />
        </label>
        <p className="muted" role="status">
          {isValid
            ? `${formatDuration(toMs - fromMs)}, local time (${zonesOf(fromMs, toMs)})`
            : 'The start must be before the end.'}
        </p>
        <button type="submit" className="button primary" disabled={!isValid}>
          Show this range
        </button>
      </form>
    </div>
  );
}

/** "UTC+01:00", or both where the clocks are set in between. */
function zonesOf(fromMs: number, toMs: number): string {
  const [from, to] = [formatOffset(fromMs), formatOffset(toMs)];
  return from === to ? from : `${from} to ${to}`;
}

/** How old the newest sample is; amber when live data has stopped coming. */
export function DataAge() {
  const { session } = usePage();
  const { range } = useView();
  const isPaused = useSignal(session.isPaused);
  const coverage = useSignal(session.flame.state).value?.coverage;
  const isLoading = useSignal(session.flame.state).isLoading;
  const now = useNow();
  const newest = Number(coverage?.newestSampleMs ?? 0n);
  if (newest === 0) return null;
  const age = Math.max(0, now - newest);
  const isStale = range.kind === 'last' && !isPaused && age > STALE_MS;
  return (
    <span
      className={`data-age ${isStale ? 'is-stale' : ''} ${isLoading ? 'is-loading' : ''}`}
      data-testid="data-age"
      title={`Newest sample: ${new Date(newest).toLocaleString('en-GB')}. ${
        isStale ? 'No new data is arriving: is the agent running?' : 'Live data is asked for again and again.'
      }`}
    >
      {formatAge(age)} old
    </span>
  );
}

/** Agents send every 10 s, and the page asks every 10 s; three times both is not a delay any more. */
const STALE_MS = 60_000;
