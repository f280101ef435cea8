import { stepName } from '../flame/navigate.ts';
import { fitName } from '../flame/shorten.ts';
import { usePage, useView } from './page-context.ts';

/** Crumbs at each end; what is between them is behind one "…" with a list. */
const HEAD = 2;
const TAIL = 3;
/** Of a crumb; the whole name is its title. */
const MOST_CHARS = 32;

/** The way to the focused box. Each crumb goes back to it. */
export function Breadcrumbs(props: { readonly rootWords: string }) {
  const { session } = usePage();
  const { focus } = useView();
  const go = (length: number): void => session.setView({ focus: focus.slice(0, length) }, 'push');
  const hidden = focus.length > HEAD + TAIL + 1 ? focus.length - HEAD - TAIL : 0;
  return (
    <nav className="breadcrumbs" aria-label="Focused box">
      <ol>
        <li>
          <button
            type="button"
            onClick={() => go(0)}
            aria-current={focus.length === 0 ? 'location' : undefined}
          >
            {props.rootWords}
          </button>
        </li>
        {focus.map((step, i) => {
          if (hidden > 0 && i === HEAD) {
            return (
              <li key="hidden">
                <select
                  aria-label={`${hidden} more callers`}
                  value=""
                  onChange={(event) => go(Number(event.target.value))}
                >
                  <option value="">⋯ {hidden}</option>
                  {focus.slice(HEAD, HEAD + hidden).map((name, j) => (
                    <option key={j} value={HEAD + j + 1}>
                      {stepName(name)}
                    </option>
                  ))}
                </select>
              </li>
            );
          }
          if (hidden > 0 && i > HEAD && i < HEAD + hidden) return null;
          return (
            <li key={i}>
              <button
                type="button"
                title={stepName(step)}
                onClick={() => go(i + 1)}
                aria-current={i === focus.length - 1 ? 'location' : undefined}
              >
                {fitName(stepName(step), MOST_CHARS)}
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
