import { lossKind, STOPPED_REASONS } from '@fleetflame/profile';
import type { Coverage, LostSamples } from '@fleetflame/proto/query/v1/query';
import { formatAmount, integer, percent, type Quantity } from '../quantity/format.ts';
import { usePage } from './page-context.ts';
import { UnnamedHelp } from './unnamed-help.tsx';

/** Lines of the list; what is beyond them is summed. */
const MOST_ROWS = 30;

export function UnnamedPanel(props: {
  readonly coverage: Coverage | undefined;
  readonly total: number;
  readonly quantity: Quantity;
  readonly close: () => void;
}) {
  const { coverage, total, quantity } = props;
  const { session } = usePage();
  const unnamed = coverage?.unnamed ?? [];
  if (unnamed.length === 0) {
    return <p className="panel-note">Every sample’s innermost frame has a function name.</p>;
  }
  const rest = unnamed.slice(MOST_ROWS).reduce((sum, { self }) => sum + self, 0n);
  return (
    <div className="accounting" data-testid="unnamed-panel">
      <p className="panel-note">
        {formatAmount(Number(coverage?.unnamedSelf ?? 0n), quantity)} ran in frames whose function is not
        known. They are shown as binary+address.{' '}
        <button
          type="button"
          className="link-button"
          data-testid="show-symbols"
          onClick={() => {
            session.setView({ layout: 'symbols' }, 'push');
            props.close();
          }}
        >
          What the server knows of each binary
        </button>
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Binary</th>
            <th scope="col" className="number">
              Self
            </th>
            <th scope="col">Why, and what helps</th>
          </tr>
        </thead>
        <tbody>
          {unnamed.slice(0, MOST_ROWS).map(({ binary, buildId, self, reason }) => (
            <tr key={`${binary} ${buildId} ${reason}`}>
              <th scope="row" title={buildId === '' ? 'no build id' : `build id ${buildId}`}>
                {binary === '' ? '[unknown]' : binary}
              </th>
              <td className="number">
                {formatAmount(Number(self), quantity)}
                <small>{percent(Number(self), total)}</small>
              </td>
              <td>
                <UnnamedHelp frames={{ binary, buildId, reason }} status={undefined} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {rest > 0n && (
        <p className="panel-note">And {formatAmount(Number(rest), quantity)} in other binaries.</p>
      )}
    </div>
  );
}

/** What the agent counts, in words. */
const LOSS_CAUSES: Readonly<Record<string, string>> = {
  ring_full: 'The ring buffer between kernel and agent was full.',
  table_full: 'The agent’s table of stacks was full.',
  spool_expired:
    'The server was away for longer than a day: what waited longer in the agent’s spool is not sent any more.',
  spool_full: 'The server was away for so long that the agent’s spool dropped its oldest batches.',
  spool_failed: 'A batch could not be written to the agent’s spool.',
  refused: 'The server refused a batch; its log and the agent’s say why.',
  ...Object.fromEntries(
    Object.entries(STOPPED_REASONS).map(([reason, { what }]) => [`stack_${reason}`, what]),
  ),
  stack_no_process: 'The process was gone before its mappings could be read: its addresses have no binary.',
};

export function LostPanel(props: {
  readonly coverage: Coverage | undefined;
  readonly taken: number | undefined;
}) {
  const all = props.coverage?.lost ?? [];
  const lost = all.filter(({ cause }) => lossKind(cause) === 'lost');
  const kept = all.filter(({ cause }) => lossKind(cause) === 'shortened');
  const excluded = samplesOf(all.filter(({ cause }) => lossKind(cause) === 'excluded'));
  const count = samplesOf(lost);
  const shareOf = (samples: number): string =>
    props.taken === undefined ? '' : ` (${percent(samples, props.taken + samples)})`;
  return (
    <div className="accounting" data-testid="lost-panel">
      {lost.length === 0 ? (
        <p className="panel-note">Every sample that was taken is in this answer.</p>
      ) : (
        <>
          <p className="panel-note">
            {integer(count)} samples{shareOf(count)} were taken but are not in this answer: its numbers are
            too low.
          </p>
          <CauseTable rows={lost} />
        </>
      )}
      {kept.length > 0 && (
        <>
          <p className="panel-note">Kept, but with a shortened stack: CPU is right, callers are missing.</p>
          <CauseTable rows={kept} />
        </>
      )}
      {excluded > 0 && (
        <p className="panel-note">
          {integer(excluded)} samples{shareOf(excluded)} were not taken: the agents’ filters leave their
          processes out.
        </p>
      )}
      {all.length > 0 && (
        <p className="panel-note">
          These are of the whole host, not only of what was asked for. Blocks that the range cuts count whole.
        </p>
      )}
    </div>
  );
}

function samplesOf(rows: readonly LostSamples[]): number {
  return rows.reduce((sum, { samples }) => sum + Number(samples), 0);
}

function CauseTable(props: { readonly rows: readonly LostSamples[] }) {
  return (
    <table>
      <tbody>
        {props.rows.map(({ cause, samples }) => (
          <tr key={cause}>
            <th scope="row">{cause.replaceAll('_', ' ')}</th>
            <td className="number">{integer(Number(samples))}</td>
            <td>{LOSS_CAUSES[cause] ?? ''}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
