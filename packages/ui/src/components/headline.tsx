import { lossKind } from '@fleetflame/profile';
import { useEffect } from 'react';
import {
  amountOf,
  counted,
  formatAmount,
  integer,
  isCores,
  percent,
  quantityName,
} from '../quantity/format.ts';
import { kindWords } from '../quantity/kind-words.ts';
import { formatDuration } from '../time/range.ts';
import { WarnIcon } from './icons.tsx';
import { LostPanel, UnnamedPanel } from './accounting-panels.tsx';
import { usePage, useView } from './page-context.ts';
import { Popover } from './popover.tsx';
import { StoppedPanel } from './stopped-panel.tsx';
import { useQuantity } from './use-answers.ts';
import { useSignal } from './use-signal.ts';

/** The answer in one line: how much, of what, and how sure. */
export function Headline() {
  const { session } = usePage();
  const { selector, range } = useView();
  const { value: flame, failure } = useSignal(session.flame.state);
  const presence = useSignal(session.presence.state).value;
  const counts = useSignal(session.counts.state).value;
  const quantity = useQuantity();
  const types = useSignal(session.types.state).value?.types ?? [];
  const kind = kindWords(types.find(({ id }) => id === flame?.coverage?.profileType)?.kinds ?? []);
  const amount = flame === undefined ? undefined : amountOf(flame.total, quantity);

  const words = amount === undefined ? [] : [`${amount.number} ${amount.suffix}`, selector];
  const title = [...words, 'Fleetflame'].filter((part) => part !== '').join(' · ');
  useEffect(() => {
    document.title = title;
  }, [title]);

  if (flame === undefined || amount === undefined) {
    return failure === undefined ? <HeadlineSkeleton /> : null;
  }
  const isPartial = (flame.coverage?.missing.length ?? 0) > 0;
  const windowMs = flame.window.toMs - flame.window.fromMs;
  const dataMs = presence === undefined ? windowMs : presence.span.toMs - presence.span.fromMs;
  const isCut = dataMs < windowMs * 0.98;
  const unnamed = flame.coverage?.unnamedSelf ?? 0n;
  const lost = (flame.coverage?.lost ?? [])
    .filter(({ cause }) => lossKind(cause) === 'lost')
    .reduce((sum, { samples }) => sum + samples, 0n);
  const stopped = (flame.coverage?.stopped ?? []).reduce((sum, { value }) => sum + Number(value), 0);
  const taken = flame.period > 0 ? flame.total / flame.period : undefined;
  const span = formatDuration(Math.round(windowMs / 1000) * 1000);
  const dataSpan = formatDuration(Math.round(dataMs / 1000) * 1000);
  return (
    <section
      className={`headline ${isPartial ? 'is-partial' : ''}`}
      aria-label="Summary"
      data-testid="headline"
    >
      <div className="headline-main">
        <span className="headline-number" data-testid="total">
          {isPartial ? '≥ ' : ''}
          {amount.number}
        </span>
        <span className="headline-unit">{amount.suffix === '' ? quantityName(quantity) : amount.suffix}</span>
        {kind !== undefined && !isCores(quantity) && (
          <span className="headline-note" title={kind.title} data-testid="kind">
            {kind.name}
          </span>
        )}
        <span className="headline-note" title={noteTitle(isCut, span, dataSpan)}>
          {isCores(quantity) ? 'average over' : (kind?.over ?? 'in')} {span}
          {isCut && <span className="muted">, with data in {dataSpan} of it</span>}
        </span>
      </div>
      <dl className="headline-facts">
        {selector !== '' && presence !== undefined && (
          <div>
            <dt>of the fleet</dt>
            <dd title={`The fleet: ${formatAmount(presence.total, quantity)}`}>
              {percent(flame.total, presence.total)}
            </dd>
          </div>
        )}
        {counts !== undefined && (
          <div>
            <dt>in</dt>
            <dd>
              {counted(counts.services, 'service')} · {counted(counts.hosts, 'host')}
            </dd>
          </div>
        )}
        {taken !== undefined && (
          <div>
            <dt>from</dt>
            <dd
              title={`Sampling error of the total: ±${(100 / Math.sqrt(Math.max(1, taken))).toFixed(2)} % (one sigma, √n)`}
            >
              {integer(Math.round(taken))} samples
            </dd>
          </div>
        )}
      </dl>
      <div className="headline-chips">
        <Popover
          label="CPU without a function name"
          testId="unnamed"
          align="end"
          buttonClass={`chip ${Number(unnamed) > flame.total * 0.05 ? 'is-warn' : ''}`}
          button={<>{percent(Number(unnamed), flame.total)} without a name</>}
        >
          {(close) => (
            <UnnamedPanel coverage={flame.coverage} total={flame.total} quantity={quantity} close={close} />
          )}
        </Popover>
        {stopped > 0 && (
          <Popover
            label="CPU with incomplete stacks"
            testId="stopped"
            align="end"
            buttonClass={`chip ${stopped > flame.total * 0.01 ? 'is-warn' : ''}`}
            button={<>{percent(stopped, flame.total)} incomplete stacks</>}
          >
            {(close) => (
              <StoppedPanel
                stopped={flame.coverage?.stopped ?? []}
                total={flame.total}
                quantity={quantity}
                close={close}
              />
            )}
          </Popover>
        )}
        <Popover
          label="Samples lost"
          testId="lost"
          align="end"
          buttonClass={`chip ${lost > 0n ? 'is-warn' : ''}`}
          button={
            <>
              {lost > 0n && <WarnIcon />}
              {lost === 0n ? 'no samples lost' : `${integer(lost)} samples lost`}
            </>
          }
        >
          {() => <LostPanel coverage={flame.coverage} taken={taken} />}
        </Popover>
        {range.kind === 'absolute' && <span className="chip is-plain">fixed range</span>}
      </div>
    </section>
  );
}

function noteTitle(isCut: boolean, span: string, dataSpan: string): string {
  const over = `Averages are over the whole range, ${span}.`;
  return isCut ? `${over} There is data for ${dataSpan} of it.` : over;
}

function HeadlineSkeleton() {
  return (
    <section className="headline" aria-busy="true" aria-label="Summary">
      <div className="headline-main">
        <span className="skeleton" style={{ width: 88, height: 26 }} />
        <span className="skeleton" style={{ width: 150, height: 12 }} />
      </div>
      <div className="headline-chips">
        <span className="skeleton" style={{ width: 130, height: 22 }} />
        <span className="skeleton" style={{ width: 110, height: 22 }} />
      </div>
    </section>
  );
}
