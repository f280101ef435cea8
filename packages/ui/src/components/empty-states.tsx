import { formatSelector, parseSelector } from '@fleetflame/profile';
import type { ReactNode } from 'react';
import type { FlameAnswer, TypesAnswer } from '../session/answers.ts';
import { DEFAULT_LAST_MS, formatAge, formatDuration } from '../time/range.ts';
import { Logo } from './icons.tsx';
import { usePage, useView } from './page-context.ts';
import { useNow } from './use-now.ts';
import { useSignal } from './use-signal.ts';

/** Nothing to show: why, and what to do about it. */
function Empty(props: { readonly title: string; readonly testId: string; readonly children: ReactNode }) {
  return (
    <section className="empty" data-testid={props.testId} role="status">
      <Logo />
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}

/** The range holds no profile of any type. */
export function NoData(props: { readonly answer: TypesAnswer }) {
  const { session } = usePage();
  const { range } = useView();
  const now = useNow();
  const { newestSampleMs, window } = props.answer;
  if (newestSampleMs === 0) {
    return (
      <Empty title="No profiles yet" testId="empty-store">
        <p>The store is empty: no agent has sent anything. On the machine to be profiled, as root:</p>
        <CommandLine text="./fleetflame up" />
        <p className="muted">
          What the machine may lack is listed by <code>./fleetflame doctor</code>. Profiles from files:{' '}
          <code>./fleetflame push FILE.pb.gz --label service_name=x</code>
        </p>
        <p className="muted">This page looks again every ten seconds.</p>
      </Empty>
    );
  }
  const length = window.toMs - window.fromMs;
  const toMs = Math.ceil((newestSampleMs + 1000) / 1000) * 1000;
  return (
    <Empty title="Nothing in this range" testId="empty-range">
      <p>
        There are no profiles in{' '}
        {range.kind === 'last' ? `the last ${formatDuration(range.lastMs)}` : 'this range'}. The newest one in
        the store is {formatAge(now - newestSampleMs)} old.
      </p>
      <button
        type="button"
        className="button primary"
        onClick={() =>
          session.setView(
            { range: { kind: 'absolute', fromMs: toMs - Math.min(length, 900_000), toMs } },
            'push',
          )
        }
      >
        Go to the newest data
      </button>
      {range.kind === 'absolute' && (
        <button
          type="button"
          className="button"
          onClick={() => session.setView({ range: { kind: 'last', lastMs: DEFAULT_LAST_MS } }, 'push')}
        >
          Last {formatDuration(DEFAULT_LAST_MS)}, live
        </button>
      )}
      {range.kind === 'last' && (
        <p className="muted">
          If data should be coming in, see whether the agent runs: <code>./fleetflame doctor</code>
        </p>
      )}
    </Empty>
  );
}

/** There is data, but none of it is selected. */
export function NoSamples(props: { readonly answer: FlameAnswer }) {
  const { session } = usePage();
  const { selector } = useView();
  const types = useSignal(session.types.state).value?.types ?? [];
  const profileType = props.answer.coverage?.profileType ?? '';
  const matchers = readMatchers(selector);
  if (matchers.length === 0) {
    return (
      <Empty title="No samples of this type" testId="empty-type">
        <p>
          There is no value of <code>{profileType}</code> in this range. Other types have some:
        </p>
        <p className="button-row">
          {types.map(({ id }) => (
            <button
              key={id}
              type="button"
              className="button"
              onClick={() => session.setView({ profileType: id }, 'push')}
            >
              {id}
            </button>
          ))}
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="The selector matches nothing" testId="empty-selector">
      <p>
        There are profiles in this range, but none of them fulfils all of these conditions. Without which one?
      </p>
      <p className="button-row">
        {matchers.map((text, i) => (
          <button
            key={text}
            type="button"
            className="button"
            onClick={() => session.setView({ selector: withoutMatcher(selector, i), focus: [] }, 'push')}
          >
            <code>{text}</code> <span className="muted">remove</span>
          </button>
        ))}
        {matchers.length > 1 && (
          <button
            type="button"
            className="button primary"
            onClick={() => session.setView({ selector: '', focus: [] }, 'push')}
          >
            Remove all
          </button>
        )}
      </p>
    </Empty>
  );
}

function CommandLine(props: { readonly text: string }) {
  const { toast } = usePage();
  return (
    <p className="command-line">
      <code>{props.text}</code>
      <button
        type="button"
        className="button small"
        onClick={() =>
          void navigator.clipboard.writeText(props.text).then(
            () => toast.set('Copied.'),
            () => toast.set('The browser did not allow copying.'),
          )
        }
      >
        Copy
      </button>
    </p>
  );
}

function readMatchers(selector: string): readonly string[] {
  return matchersOf(selector).map((matcher) => formatSelector({ matchers: [matcher] }).slice(1, -1));
}

function withoutMatcher(selector: string, index: number): string {
  const matchers = matchersOf(selector).filter((_, i) => i !== index);
  return matchers.length === 0 ? '' : formatSelector({ matchers });
}

function matchersOf(selector: string) {
  try {
    return parseSelector(selector).matchers;
  } catch {
    // A link may hold a selector that cannot be read; the selector bar says what is wrong with it.
    return [];
  }
}
