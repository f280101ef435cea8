import { completeSelector, parseSelector, SelectorSyntaxError } from '@fleetflame/profile';
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { formatAmount } from '../quantity/format.ts';
import { CloseIcon, FilterIcon } from './icons.tsx';
import { usePage, useView } from './page-context.ts';
import { applySuggestion, suggest, type KnownValue, type Suggestion } from './suggest.ts';
import { useQuantity } from './use-answers.ts';
import { useSignal } from './use-signal.ts';

/** The selector: a field with completion. Enter uses it; what cannot be used says where and why. */
export function SelectorBar() {
  const { session } = usePage();
  const committed = useView().selector;
  const names = useSignal(session.labelNames.state).value ?? NO_NAMES;
  const [draft, setDraft] = useState(committed);
  const [cursor, setCursor] = useState(committed.length);
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const [isChecked, setChecked] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const listId = useId();
  const errorId = useId();

  const [known, setKnown] = useState(committed);
  if (known !== committed) {
    setKnown(committed);
    setDraft(committed);
    setChecked(false);
  }

  const slot = useMemo(() => completeSelector(draft, cursor), [draft, cursor]);
  const values = useLabelValues(isOpen && slot.kind === 'value' ? (slot.labelName ?? '') : '');
  const options = useMemo(() => suggest(slot, names, values), [slot, names, values]);
  const problem = useMemo(() => problemOf(draft), [draft]);
  const shownProblem = isChecked || !isOpen ? problem : undefined;
  const isListOpen = isOpen && options.length > 0;
  const chosen = isListOpen ? Math.min(active, options.length - 1) : -1;

  useEffect(() => {
    if (chosen >= 0) list.current?.children[chosen]?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);

  const commit = (text: string): void => {
    setChecked(true);
    if (problemOf(text) !== undefined) return;
    const selector = text.trim() === '{}' ? '' : text.trim();
    setOpen(false);
    session.setView({ selector, focus: [] }, 'push');
  };
  const edit = (text: string, at: number): void => {
    setDraft(text);
    setCursor(at);
    setActive(0);
    setOpen(true);
  };
  const choose = (option: Suggestion): void => {
    const next = applySuggestion(draft, slot, option);
    edit(next.text, next.cursor);
    // The field is controlled: its cursor can be placed once React has written the text.
    requestAnimationFrame(() => input.current?.setSelectionRange(next.cursor, next.cursor));
    if (next.isComplete && problemOf(next.text) === undefined) {
      commit(next.text);
      input.current?.focus();
    }
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      if (isListOpen) setActive((chosen + step + options.length) % options.length);
      else setOpen(true);
      return;
    }
    const option = options[chosen];
    if (event.key === 'Tab' && option !== undefined && isListOpen && slot.prefix !== '') {
      event.preventDefault();
      choose(option);
      return;
    }
    if (event.key === 'Enter') {
      event.preventDefault();
      const isTyping = option !== undefined && (problem !== undefined || slot.prefix !== '');
      if (isTyping && draft !== '') choose(option);
      else if (option !== undefined && draft === '' && active > 0) choose(option);
      else commit(draft);
      return;
    }
    if (event.key === 'Escape') {
      event.preventDefault();
      if (isListOpen) setOpen(false);
      else {
        setDraft(committed);
        input.current?.blur();
      }
    }
  };

  return (
    <div className="selector" role="search">
      <div className={`field selector-field ${shownProblem === undefined ? '' : 'is-invalid'}`}>
        <FilterIcon />
        <input
          ref={input}
          id="selector-input"
          data-testid="selector-input"
          role="combobox"
          aria-label="Selector: which profiles to look at"
          aria-expanded={isListOpen}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={chosen >= 0 ? `${listId}-${chosen}` : undefined}
          aria-invalid={shownProblem !== undefined}
          aria-describedby={shownProblem === undefined ? undefined : errorId}
          placeholder='All profiles · {service_name="…"}'
          autoComplete="off"
          spellCheck={false}
          value={draft}
          onChange={(event) =>
            edit(event.target.value, event.target.selectionStart ?? event.target.value.length)
          }
          onSelect={(event) => setCursor(event.currentTarget.selectionStart ?? 0)}
          onFocus={() => setOpen(true)}
          onClick={() => setOpen(true)}
          onBlur={() => {
            setOpen(false);
            if (draft !== committed) commit(draft);
          }}
          onKeyDown={onKeyDown}
        />
        {draft !== '' && (
          <button
            type="button"
            className="icon-button small"
            aria-label="Clear the selector"
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => {
              setDraft('');
              commit('');
            }}
          >
            <CloseIcon />
          </button>
        )}
      </div>
      {shownProblem !== undefined && (
        <div className="selector-error" id={errorId} role="alert">
          <pre aria-hidden="true">{shownProblem.picture}</pre>
          <span>
            Column {shownProblem.column}: {shownProblem.reason}.
          </span>
        </div>
      )}
      {isListOpen && (
        <ul
          className="listbox selector-list"
          id={listId}
          role="listbox"
          ref={list}
          aria-label={listTitle(slot.kind)}
        >
          {options.map((option, i) => (
            <li
              key={option.text}
              id={`${listId}-${i}`}
              role="option"
              aria-selected={i === chosen}
              onPointerDown={(event) => {
                event.preventDefault();
                choose(option);
              }}
            >
              <code>{option.text === '' ? '""' : option.text}</code>
              <span className="note">{option.note}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function listTitle(kind: string): string {
  if (kind === 'op') return 'Operators';
  return kind === 'value' ? 'Values' : 'Label names';
}

interface Problem {
  readonly reason: string;
  readonly column: number;
  readonly picture: string;
}

function problemOf(text: string): Problem | undefined {
  try {
    parseSelector(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof SelectorSyntaxError)) throw error;
    const marks = '^'.repeat(Math.max(1, error.length));
    return {
      reason: error.reason,
      column: error.column,
      picture: `${text}\n${' '.repeat(error.position)}${marks}`,
    };
  }
}

/** Values of a label in the current window, largest first. '' asks nothing. */
function useLabelValues(name: string): readonly KnownValue[] {
  const { session } = usePage();
  const quantity = useQuantity();
  const window = useSignal(session.window);
  const profileType = useSignal(session.flame.state).value?.coverage?.profileType ?? '';
  const [known, setKnown] = useState<{ readonly name: string; readonly values: readonly KnownValue[] }>();
  useEffect(() => {
    if (name === '') return undefined;
    const abort = new AbortController();
    const scope = {
      fromMs: BigInt(window.fromMs),
      toMs: BigInt(window.toMs),
      selector: '',
      profileType: profileType === '' ? 'cpu' : profileType,
    };
    const ask = async (): Promise<void> => {
      let values: readonly KnownValue[] = [];
      try {
        const answer = await session.client.labelValues(
          { scope, name, limit: 200 },
          { signal: abort.signal },
        );
        values = answer.values
          .filter(({ value }) => value !== '')
          .map(({ value, total }) => ({ value, note: formatAmount(Number(total), quantity) }));
      } catch {
        // Without values one can still type; why the server fails is said where its data would be.
      }
      if (!abort.signal.aborted) setKnown({ name, values });
    };
    void ask();
    return () => abort.abort();
    // A refresh moves the window; the list must not flicker under the pointer because of that.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [name, profileType, session]);
  return known?.name === name ? known.values : NO_VALUES;
}

const NO_NAMES: readonly string[] = [];
const NO_VALUES: readonly KnownValue[] = [];
