import { useState } from 'react';
import { percent } from '../quantity/format.ts';
import type { Matches, Query } from '../flame/search.ts';
import { CloseIcon, DownIcon, SearchIcon, UpIcon } from './icons.tsx';
import { usePage, useView } from './page-context.ts';

/** Searches the flame graph and the table at once. */
export function SearchBox(props: {
  readonly query: Query;
  readonly matches: Matches | undefined;
  readonly total: number;
  /** Narrow boxes were left out: there may be matches among them. */
  readonly isPruned: boolean;
  readonly position: number;
  readonly onCycle: (step: 1 | -1) => void;
}) {
  const { session } = usePage();
  const { search } = useView();
  const [draft, setDraft] = useState(search);
  const [committed, setCommitted] = useState(search);
  if (committed !== search) {
    setCommitted(search);
    setDraft(search);
  }
  const { query, matches, total, isPruned, position, onCycle } = props;
  const isInvalid = query.kind === 'invalid';
  return (
    <div className="search">
      <div className={`field ${isInvalid ? 'is-invalid' : ''}`}>
        <SearchIcon />
        <input
          id="search-input"
          data-testid="search-input"
          type="text"
          role="searchbox"
          aria-label="Search functions"
          aria-invalid={isInvalid}
          placeholder="Search, or /re/"
          title="Text in a function, file or binary, or a regular expression between slashes: /^runtime\./, /gc/i"
          spellCheck={false}
          autoComplete="off"
          value={draft}
          onChange={(event) => {
            setDraft(event.target.value);
            session.setView({ search: event.target.value }, 'replace');
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') {
              event.preventDefault();
              onCycle(event.shiftKey ? -1 : 1);
            } else if (event.key === 'Escape') {
              event.preventDefault();
              if (draft === '') event.currentTarget.blur();
              else session.setView({ search: '' }, 'replace');
            }
          }}
        />
        {draft !== '' && (
          <button
            type="button"
            className="icon-button small"
            aria-label="Clear the search"
            onClick={() => session.setView({ search: '' }, 'replace')}
          >
            <CloseIcon />
          </button>
        )}
      </div>
      <span className="search-result" role="status" data-testid="search-result">
        {isInvalid && <span className="danger">{query.message}</span>}
        {matches !== undefined && matches.nodes.length === 0 && <span className="muted">no match</span>}
        {matches !== undefined && matches.nodes.length > 0 && (
          <>
            <strong
              title={`Share of all stacks that contain a match; a stack with several counts once.${
                isPruned
                  ? ' At least: boxes too narrow to be sent are not searched; the table has all functions.'
                  : ''
              }`}
            >
              {isPruned && '≥ '}
              {percent(matches.value, total)}
            </strong>{' '}
            <span className="muted">
              {position > 0 ? `${position} of ${matches.nodes.length}` : `${matches.nodes.length} boxes`}
            </span>
            <button
              type="button"
              className="icon-button small"
              aria-label="Previous match"
              title="Previous match (N)"
              onClick={() => onCycle(-1)}
            >
              <UpIcon />
            </button>
            <button
              type="button"
              className="icon-button small"
              aria-label="Next match"
              title="Next match (n)"
              onClick={() => onCycle(1)}
            >
              <DownIcon />
            </button>
          </>
        )}
      </span>
    </div>
  );
}
