import { counted } from '../quantity/format.ts';
import { formatClock } from '../time/range.ts';
import { WarnIcon } from './icons.tsx';
import { usePage } from './page-context.ts';
import { useNow } from './use-now.ts';
import { useSignal } from './use-signal.ts';

/** Parts listed; more only say the same. */
const MOST_PARTS = 20;

/** Some stored data did not take part in the answer: how much, and why. */
export function CoverageBanner() {
  const { session } = usePage();
  const now = useNow();
  const coverage = useSignal(session.flame.state).value?.coverage;
  if (coverage === undefined || coverage.missing.length === 0) return null;
  return (
    <details className="banner is-warn" data-testid="partial">
      <summary>
        <WarnIcon />
        <span>
          <strong>
            {coverage.blocksExpected - coverage.blocksAnswered} of {counted(coverage.blocksExpected, 'block')}{' '}
            missing.
          </strong>{' '}
          All numbers are lower bounds.
        </span>
        <span className="muted">Details</span>
      </summary>
      <ul>
        {coverage.missing.slice(0, MOST_PARTS).map((part) => (
          <li key={part.blockId}>
            {formatClock(Number(part.fromMs), now)} – {formatClock(Number(part.toMs), now)}: {part.reason}{' '}
            <code>{part.blockId}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** What of a link could not be read. */
export function LinkProblems() {
  const { session } = usePage();
  const problems = useSignal(session.url.problems);
  if (problems.length === 0) return null;
  return (
    <div className="banner is-warn" role="status" data-testid="link-problems">
      <WarnIcon />
      <div>{problems.join(' ')}</div>
      <button type="button" className="button small" onClick={() => session.url.problems.set([])}>
        Dismiss
      </button>
    </div>
  );
}
