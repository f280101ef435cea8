import type { ReactNode } from 'react';
import { SEVERAL_BUILDS } from '@fleetflame/profile';
import { counted, formatAmount, percent, type Quantity } from '../quantity/format.ts';
import type { FunctionAnswer, TopRow } from '../session/answers.ts';
import { BuildId } from './build-id.tsx';
import { CopyButton } from './copy-button.tsx';
import { CloseIcon } from './icons.tsx';
import { usePage, useView } from './page-context.ts';
import { RegionError } from './region-error.tsx';
import { useSignal } from './use-signal.ts';

/** The selected function: what it is, and the lines and builds that its value lies in. */
export function FunctionDetails(props: {
  readonly row: TopRow | undefined;
  /** Of all samples. */
  readonly total: number;
  readonly quantity: Quantity;
}) {
  const { session } = usePage();
  const { selected } = useView();
  const { value, failure } = useSignal(session.details.state);
  const { row, total, quantity } = props;
  const details = value?.id === selected ? value : undefined;
  const known = details ?? row;
  if (selected === '' || (known === undefined && failure === undefined)) return null;
  return (
    <section className="details" aria-label="Selected function" data-testid="function-details">
      <header className="details-header">
        <h3 title={known?.name}>{known?.name}</h3>
        <CopyButton text={known?.name ?? ''} what="function’s name" />
        <button
          type="button"
          className="icon-button tiny"
          aria-label="Close the details"
          title="Close (x)"
          onClick={() => session.setView({ selected: '' }, 'replace')}
        >
          <CloseIcon />
        </button>
      </header>
      {row !== undefined && <Facts row={row} details={details} quantity={quantity} />}
      {failure !== undefined && (
        <RegionError failure={failure} hasData={details !== undefined} retry={() => void session.refresh()} />
      )}
      {details === undefined ? (
        failure === undefined && <p className="details-note">Looking for its lines …</p>
      ) : (
        <>
          <Lines kind={row?.kind ?? ''} details={details} total={total} quantity={quantity} />
          {(details.builds.length > 1 || row?.buildId === SEVERAL_BUILDS) && (
            <Builds details={details} total={total} quantity={quantity} />
          )}
        </>
      )}
    </section>
  );
}

function Facts(props: {
  readonly row: TopRow;
  readonly details: FunctionAnswer | undefined;
  readonly quantity: Quantity;
}) {
  const { row, details, quantity } = props;
  const inlined = details === undefined ? 0 : details.inlinedSelf;
  const source = row.startLine > 0 ? `${row.filename}:${row.startLine}` : row.filename;
  return (
    <dl className="details-facts">
      <Fact label="kind">
        {row.kind}
        {row.partlyInlined && ', in part inlined'}
        {inlined > 0 && row.kind !== 'inlined' && ` (${formatAmount(inlined, quantity)} of self)`}
      </Fact>
      {row.binary !== '' && (
        <Fact label="binary">
          <span className="details-binary">{row.binary}</span> <BuildId buildId={row.buildId} />
        </Fact>
      )}
      {source !== '' && (
        <Fact label="source">
          <code title={source}>{source}</code>
          <CopyButton text={source} what="place in the source" />
        </Fact>
      )}
    </dl>
  );
}

function Fact(props: { readonly label: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{props.label}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

const NO_LINES: Readonly<Record<string, string>> = {
  kernel: 'Its lines are not known: the names of kernel functions come without them.',
  jit: 'Its lines are not known: perf maps have none.',
};
const NO_LINES_NATIVE =
  'Its lines are not known: the symbols of the binary have none. Its debug package has them, or a build with -g.';

function Lines(props: {
  readonly kind: string;
  readonly details: FunctionAnswer;
  readonly total: number;
  readonly quantity: Quantity;
}) {
  const { details, total, quantity } = props;
  const { lines } = details;
  if (lines.every(({ line }) => line === 0)) {
    return <p className="details-note">{NO_LINES[props.kind] ?? NO_LINES_NATIVE}</p>;
  }
  const file = details.filename.slice(details.filename.lastIndexOf('/') + 1);
  const widest = Math.max(...lines.map(({ self }) => self), 1);
  return (
    <table className="details-table" data-testid="function-lines">
      <thead>
        <tr>
          <th scope="col">Line</th>
          <ValueHeads />
        </tr>
      </thead>
      <tbody>
        {lines.map(({ line, self, total: all }) => (
          <tr key={line}>
            <th scope="row">{line === 0 ? <span className="muted">unknown</span> : `${file}:${line}`}</th>
            <Values self={self} total={all} whole={total} quantity={quantity} widest={widest} />
          </tr>
        ))}
      </tbody>
      {details.omittedLines > 0 && (
        <caption>
          And {counted(details.omittedLines, 'other line')} with{' '}
          {formatAmount(details.omittedLinesSelf, quantity)} self.
        </caption>
      )}
    </table>
  );
}

function Builds(props: {
  readonly details: FunctionAnswer;
  readonly total: number;
  readonly quantity: Quantity;
}) {
  const { details, total, quantity } = props;
  return (
    <table className="details-table" data-testid="function-builds">
      <thead>
        <tr>
          <th scope="col">Build</th>
          <ValueHeads />
        </tr>
      </thead>
      <tbody>
        {details.builds.map(({ file, buildId, self, total: all }) => (
          <tr key={`${file} ${buildId}`}>
            <th scope="row">
              <BuildId buildId={buildId} />
              <small title={file}>{file}</small>
            </th>
            <Values self={self} total={all} whole={total} quantity={quantity} />
          </tr>
        ))}
      </tbody>
      {details.omittedBuilds > 0 && <caption>And {counted(details.omittedBuilds, 'other build')}.</caption>}
    </table>
  );
}

function ValueHeads() {
  return (
    <>
      <th scope="col" className="number">
        Self
      </th>
      <th scope="col" className="number">
        Total
      </th>
    </>
  );
}

/** The cells of a row: self, with a bar where the widest self is given, and total. */
function Values(props: {
  readonly self: number;
  readonly total: number;
  readonly whole: number;
  readonly quantity: Quantity;
  readonly widest?: number;
}) {
  const { self, total, whole, quantity, widest } = props;
  return (
    <>
      {[self, total].map((value, i) => (
        <td key={i} className="number">
          {i === 0 && widest !== undefined && (
            <span className="bar" style={{ width: `${(value / widest) * 100}%` }} aria-hidden="true" />
          )}
          <span className="amount">{formatAmount(value, quantity).replace(' cores', '')}</span>
          <span className="share">{percent(value, whole)}</span>
        </td>
      ))}
    </>
  );
}
