import { useMemo } from 'react';
import { stoppedHelp } from '@fleetflame/profile';
import type { BinaryStatus } from '@fleetflame/proto/symbols/v1/symbols';
import type { Query } from '../flame/search.ts';
import { counted, formatAmount, integer, percent, type Quantity } from '../quantity/format.ts';
import { BuildId } from './build-id.tsx';
import { usePage } from './page-context.ts';
import { RegionError } from './region-error.tsx';
import { TableSkeleton } from './skeletons.tsx';
import { symbolRows, type SymbolRow } from './symbol-rows.ts';
import { symbolStatus } from './symbol-status.ts';
import { UnnamedHelp } from './unnamed-help.tsx';
import { useSignal } from './use-signal.ts';

/** Rows on the page: each is a few lines high. What is beyond is counted. */
const MOST_ROWS = 300;

/** The binaries of the answer by unnamed CPU: what the server has of them, why names are missing, what helps. */
export function SymbolsView(props: {
  readonly quantity: Quantity;
  /** Keeps binaries whose name or build id matches. */
  readonly query: Query;
}) {
  const { session } = usePage();
  const { value: answer, failure } = useSignal(session.binaries.state);
  const { value: symbols, failure: statusFailure } = useSignal(session.symbolStatus.state);
  const { quantity, query } = props;
  const all = useMemo(() => (answer === undefined ? [] : symbolRows(answer)), [answer]);
  const unnamed = all.filter((row) => row.unnamed > 0).length;
  const rows = useMemo(
    () =>
      query.kind === 'match' ? all.filter((row) => query.test(row.binary) || query.test(row.buildId)) : all,
    [all, query],
  );
  const total = answer?.total ?? 0;
  return (
    <div className="panel symbols-panel" data-testid="symbols-view">
      <header className="region-header">
        <h2>Binaries</h2>
        {answer !== undefined && (
          <span className="muted">
            {rows.length < all.length && `${integer(rows.length)} of `}
            {counted(all.length, 'binary', 'binaries')} in this answer;{' '}
            {unnamed === 0
              ? 'all CPU has a function name'
              : `${percent(Number(answer.coverage?.unnamedSelf ?? 0n), total)} of CPU has no function name, in ${integer(unnamed)} of them`}
          </span>
        )}
      </header>
      {[failure, statusFailure].map(
        (failed, i) =>
          failed !== undefined && (
            <RegionError
              key={i}
              failure={failed}
              hasData={answer !== undefined}
              retry={() => void session.refresh()}
            />
          ),
      )}
      {answer === undefined ? (
        failure === undefined && <TableSkeleton />
      ) : (
        <div className="symbols-scroll" tabIndex={0} role="region" aria-label="Binaries and their symbols">
          <table className="symbols-table">
            <thead>
              <tr>
                <th scope="col">Binary</th>
                <th scope="col" className="number">
                  CPU
                </th>
                <th scope="col" className="number">
                  Without a name
                </th>
                <th scope="col" className="number">
                  Incomplete stacks
                </th>
                <th scope="col">On the server</th>
                <th scope="col">Why, and what helps</th>
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, MOST_ROWS).map((row) => (
                <Row
                  key={`${row.buildId} ${row.binary}`}
                  row={row}
                  status={symbols?.binaries.get(row.buildId)}
                  isAsked={symbols !== undefined}
                  total={total}
                  quantity={quantity}
                />
              ))}
            </tbody>
          </table>
          {rows.length === 0 && (
            <p className="table-empty">
              {all.length === 0 ? 'There are no samples in this scope.' : 'No binary matches the search.'}
            </p>
          )}
          {rows.length > MOST_ROWS && (
            <p className="table-foot">
              And {integer(rows.length - MOST_ROWS)} more builds. Search for one to see it.
            </p>
          )}
          {answer.omitted > 0 && (
            <p className="table-foot">
              And {integer(answer.omitted)} binaries with less. Narrow the selector to see them.
            </p>
          )}
          {(symbols?.omitted ?? 0) > 0 && (
            <p className="table-foot">
              The server was not asked about {integer(symbols?.omitted ?? 0)} more build ids.
            </p>
          )}
        </div>
      )}
    </div>
  );
}

/** The reasons, largest first, and what helps against that one. */
function StoppedHelp(props: { readonly reasons: readonly string[] }) {
  const words = props.reasons.map((reason) => reason.replaceAll('_', ' ')).join(', ');
  const help = stoppedHelp(props.reasons[0] ?? '');
  return (
    <p>
      Stacks end early: {words}.
      {help !== undefined && (
        <small>
          {help.what} {help.remedy}
        </small>
      )}
    </p>
  );
}

function Row(props: {
  readonly row: SymbolRow;
  readonly status: BinaryStatus | undefined;
  readonly isAsked: boolean;
  readonly total: number;
  readonly quantity: Quantity;
}) {
  const { row, status, isAsked, total, quantity } = props;
  const { quality, title, detail, problem } = symbolStatus(status);
  const hasServer = row.buildId !== '' && !row.binary.startsWith('[');
  return (
    <tr>
      <th scope="row">
        <span className="symbols-binary">{row.binary === '' ? '[unknown]' : row.binary}</span>
        <BuildId buildId={row.buildId} />
      </th>
      <td className="number">
        {formatAmount(row.self, quantity)}
        <small>
          {percent(row.self, total)}
          {row.builds > 1 && `, all ${row.builds} builds`}
        </small>
      </td>
      <td className="number">
        {row.unnamed === 0 ? (
          <span className="muted">–</span>
        ) : (
          <>
            {formatAmount(row.unnamed, quantity)}
            <small>{percent(row.unnamed, total)}</small>
          </>
        )}
      </td>
      <td className="number">
        {row.stopped === 0 ? (
          <span className="muted">–</span>
        ) : (
          <>
            {formatAmount(row.stopped, quantity)}
            <small>{percent(row.stopped, total)}</small>
          </>
        )}
      </td>
      <td>
        {!hasServer ? (
          <span className="muted">named on the host</span>
        ) : !isAsked ? (
          <span className="skeleton" style={{ width: 130, height: 12 }} />
        ) : (
          <>
            <span className={`quality quality-${quality}`} aria-hidden="true" />
            {title}
            {detail !== '' && <small>{detail}</small>}
            {problem !== '' && <small className="warn">{problem}</small>}
          </>
        )}
      </td>
      <td>
        {[...new Set(row.reasons)].map((reason) => (
          <UnnamedHelp key={reason} frames={{ ...row, reason }} status={status} withCommand />
        ))}
        {row.stopped > 0 && <StoppedHelp reasons={row.stoppedReasons} />}
      </td>
    </tr>
  );
}
