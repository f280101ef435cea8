import { useEffect } from 'react';
import { CoverageBanner, LinkProblems } from './banners.tsx';
import { NoData } from './empty-states.tsx';
import { Explorer } from './explorer.tsx';
import { Headline } from './headline.tsx';
import { PageProvider, usePage, type Page } from './page-context.ts';
import { RegionBoundary, RegionError } from './region-error.tsx';
import { Timeline } from './timeline.tsx';
import { TopBar } from './top-bar.tsx';
import { useRefusedDrops } from './use-refused-drops.ts';
import { useSignal } from './use-signal.ts';

export function App(props: { readonly page: Page }) {
  useRefusedDrops(props.page);
  return (
    <PageProvider value={props.page}>
      <TopBar />
      <ProgressLine />
      <main>
        <Content />
      </main>
      <Announcements />
    </PageProvider>
  );
}

function Content() {
  const { session } = usePage();
  const types = useSignal(session.types.state);
  if (types.value === undefined && types.failure !== undefined) {
    return (
      <div className="page-error">
        <RegionError failure={types.failure} hasData={false} retry={() => void session.refresh()} />
      </div>
    );
  }
  if (types.value !== undefined && types.value.types.length === 0 && !types.isLoading) {
    return <NoData answer={types.value} />;
  }
  return (
    <>
      {types.failure !== undefined && (
        <RegionError failure={types.failure} hasData retry={() => void session.refresh()} />
      )}
      <LinkProblems />
      <CoverageBanner />
      <RegionBoundary name="summary">
        <Headline />
      </RegionBoundary>
      <RegionBoundary name="chart">
        <Timeline />
      </RegionBoundary>
      <Explorer />
    </>
  );
}

/** A line under the top bar while something is asked for. */
function ProgressLine() {
  const { session } = usePage();
  const isLoading = [
    useSignal(session.types.state).isLoading,
    useSignal(session.flame.state).isLoading,
    useSignal(session.top.state).isLoading,
    useSignal(session.series.state).isLoading,
  ].includes(true);
  return <div className={`progress ${isLoading ? 'is-loading' : ''}`} aria-hidden="true" />;
}

/** A toast is gone after so long; what it says is also announced. */
const TOAST_MS = 3500;

function Announcements() {
  const { announcement, toast } = usePage();
  const words = useSignal(announcement);
  const message = useSignal(toast);
  useEffect(() => {
    if (message === '') return undefined;
    const timer = setTimeout(() => toast.set(''), TOAST_MS);
    return () => clearTimeout(timer);
  }, [message, toast]);
  return (
    <>
      <div className="visually-hidden" aria-live="polite" data-testid="announcements">
        {words}
      </div>
      <div className={`toast ${message === '' ? '' : 'is-shown'}`} role="status" data-testid="toast">
        {message}
      </div>
    </>
  );
}
