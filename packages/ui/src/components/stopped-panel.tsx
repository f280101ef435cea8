import { stoppedHelp } from '@fleetflame/profile';
import type { StoppedStacks } from '@fleetflame/proto/query/v1/query';
import { formatAmount, percent, type Quantity } from '../quantity/format.ts';
import { usePage } from './page-context.ts';

/** Finds the markers in the flame graph by their names. */
const STOPPED_SEARCH = '[unwind stopped';
/** Binaries that are named per reason; the others are counted. */
const MOST_BINARIES = 4;

/** CPU whose stacks do not reach the outermost frame, by reason. */
export function StoppedPanel(props: {
  readonly stopped: readonly StoppedStacks[];
  readonly total: number;
  readonly quantity: Quantity;
  readonly close: () => void;
}) {
  const { session } = usePage();
  const { stopped, total, quantity } = props;
  if (stopped.length === 0) {
    return (
      <p className="panel-note" data-testid="stopped-panel">
        Every stack reaches its outermost frame.
      </p>
    );
  }
  const all = stopped.reduce((sum, { value }) => sum + Number(value), 0);
  return (
    <div className="accounting" data-testid="stopped-panel">
      <p className="panel-note">
        {percent(all, total)} of CPU ({formatAmount(all, quantity)}) has incomplete stacks: its own function
        is right, some of its callers are missing. In the flame graph these stacks are below a dashed box.{' '}
        <button
          type="button"
          className="link-button"
          onClick={() => {
            session.setView({ search: STOPPED_SEARCH, layout: 'split' }, 'push');
            props.close();
          }}
        >
          Mark them there
        </button>
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Reason</th>
            <th scope="col" className="number">
              CPU
            </th>
            <th scope="col">Why, and what helps</th>
          </tr>
        </thead>
        <tbody>
          {byReason(stopped).map(({ reason, value, binaries }) => {
            const help = stoppedHelp(reason);
            return (
              <tr key={reason}>
                <th scope="row">{reason.replaceAll('_', ' ')}</th>
                <td className="number">
                  {formatAmount(value, quantity)}
                  <small>{percent(value, total)}</small>
                </td>
                <td>
                  {help?.what ?? 'This page does not know the reason: the agent is newer than the server.'}
                  <small>{help?.remedy}</small>
                  <small>In {binariesText(binaries, total)}.</small>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** "libc.so.6 5.01 %, node 0.30 % and 12 others" */
function binariesText(binaries: ReasonSum['binaries'], total: number): string {
  const named = binaries
    .slice(0, MOST_BINARIES)
    .map(({ binary, value }) => `${binary === '' ? 'no frame at all' : binary} ${percent(value, total)}`)
    .join(', ');
  return binaries.length > MOST_BINARIES ? `${named} and ${binaries.length - MOST_BINARIES} others` : named;
}

interface ReasonSum {
  readonly reason: string;
  readonly value: number;
  readonly binaries: readonly { readonly binary: string; readonly value: number }[];
}

/** Largest first, as the binaries are. */
function byReason(stopped: readonly StoppedStacks[]): ReasonSum[] {
  const groups = new Map<string, StoppedStacks[]>();
  for (const entry of stopped) groups.set(entry.reason, [...(groups.get(entry.reason) ?? []), entry]);
  return Array.from(groups, ([reason, entries]) => ({
    reason,
    value: entries.reduce((sum, { value }) => sum + Number(value), 0),
    binaries: entries.map(({ binary, value }) => ({ binary, value: Number(value) })),
  })).sort((a, b) => b.value - a.value);
}
