import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { fitName } from '../flame/shorten.ts';
import { shortBuildId } from '../quantity/build-id.ts';
import { formatAmount, integer, percent, type Quantity } from '../quantity/format.ts';
import type { TopAnswer, TopRow } from '../session/answers.ts';
import type { Sort, SortColumn } from '../url/view-state.ts';
import { usePage, useView } from './page-context.ts';
import { sortRows } from './table-rows.ts';

const ROW_PX = 28;
/** Both columns of numbers, the swatch and the padding. */
const NUMBERS_PX = 275;
/** A character of a name; names get this share of their column, the binary the rest. */
const CHAR_PX = 6.9;
const NAME_SHARE = 0.82;
const FEWEST_CHARS = 18;
const COLUMNS: readonly { readonly column: SortColumn; readonly title: string; readonly hint: string }[] = [
  { column: 'name', title: 'Function', hint: 'Name and binary' },
  { column: 'self', title: 'Self', hint: 'Spent in the function itself' },
  { column: 'total', title: 'Total', hint: 'Spent in the function and what it calls; recursion counts once' },
];

/** All functions of the scope, exact: nothing is pruned here. */
export function FunctionTable(props: {
  readonly answer: TopAnswer;
  /** What is left of the functions after the search. */
  readonly rows: readonly TopRow[];
  readonly isFiltered: boolean;
  readonly quantity: Quantity;
  readonly colourOf: (row: TopRow) => string;
}) {
  const { session } = usePage();
  const { sort, selected } = useView();
  const { answer, quantity, isFiltered, colourOf } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();
  const rows = useMemo(() => sortRows(props.rows, sort), [props.rows, sort]);
  const [active, setActive] = useState(-1);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });

  const room = (virtual.scrollRect?.width ?? 0) - NUMBERS_PX;
  const chars = Math.max(FEWEST_CHARS, Math.floor((room * NAME_SHARE) / CHAR_PX));

  const selectedIndex = useMemo(() => rows.findIndex((row) => row.id === selected), [rows, selected]);
  useEffect(() => {
    if (selected === '' || selectedIndex < 0) return;
    setActive(selectedIndex);
    virtual.scrollToIndex(selectedIndex, { align: 'auto' });
    // Only a new selection scrolls; a new order of the rows does not.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [selected]);

  const choose = (index: number): void => {
    const row = rows[index];
    if (row === undefined) return;
    setActive(index);
    session.setView({ selected: row.id === selected ? '' : row.id }, 'replace');
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? ROW_PX) / ROW_PX) - 1);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -rows.length,
      End: rows.length,
    };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = Math.min(rows.length - 1, Math.max(0, active + step));
      setActive(next);
      virtual.scrollToIndex(next, { align: 'auto' });
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      choose(active);
    }
  };

  return (
    <div
      className="table"
      role="grid"
      aria-label="Functions"
      aria-rowcount={rows.length + 1}
      tabIndex={0}
      aria-activedescendant={active >= 0 && active < rows.length ? `${id}-${active}` : undefined}
      onKeyDown={onKeyDown}
      data-testid="function-table"
    >
      <div className="table-head" role="row" aria-rowindex={1}>
        {COLUMNS.map(({ column, title, hint }) => (
          <div
            key={column}
            role="columnheader"
            aria-sort={ariaSort(sort, column)}
            className={`col-${column}`}
          >
            <button
              type="button"
              title={`${hint}. Click to sort.`}
              onClick={() => session.setView({ sort: nextSort(sort, column) }, 'replace')}
            >
              {title}
              <span aria-hidden="true">{sort.column === column ? (sort.descending ? ' ↓' : ' ↑') : ''}</span>
            </button>
          </div>
        ))}
      </div>
      <div className="table-body" ref={scroller}>
        <div className="table-rows" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const isSelected = row.id === selected;
            return (
              <div
                key={item.key}
                id={`${id}-${item.index}`}
                role="row"
                aria-rowindex={item.index + 2}
                aria-selected={isSelected}
                className={`table-row ${isSelected ? 'is-selected' : ''} ${item.index === active ? 'is-active' : ''}`}
                style={{ transform: `translateY(${item.start}px)` }}
                onClick={() => choose(item.index)}
              >
                <div role="gridcell" className="col-name" title={titleOf(row)}>
                  <span className="swatch" style={{ background: colourOf(row) }} aria-hidden="true" />
                  <span className="function-name">{fitName(row.name, chars)}</span>
                  <span className="function-binary">{row.binary}</span>
                </div>
                <Cell value={row.self} whole={answer.total} quantity={quantity} className="col-self" bar />
                <Cell value={row.total} whole={answer.total} quantity={quantity} className="col-total" />
              </div>
            );
          })}
        </div>
        {rows.length === 0 && (
          <p className="table-empty">{isFiltered ? 'No function matches the search.' : 'No functions.'}</p>
        )}
      </div>
      {answer.omittedFunctions > 0 && (
        <p className="table-foot">
          And {integer(answer.omittedFunctions)} smaller functions with{' '}
          {formatAmount(answer.omittedSelf, quantity)} ({percent(answer.omittedSelf, answer.total)}) self.
        </p>
      )}
    </div>
  );
}

function Cell(props: {
  readonly value: number;
  readonly whole: number;
  readonly quantity: Quantity;
  readonly className: string;
  readonly bar?: boolean;
}) {
  const { value, whole, quantity } = props;
  return (
    <div role="gridcell" className={`number ${props.className}`}>
      {props.bar === true && whole > 0 && (
        <span
          className="bar"
          style={{ width: `${Math.min(100, (value / whole) * 100)}%` }}
          aria-hidden="true"
        />
      )}
      <span className="amount">{formatAmount(value, quantity).replace(' cores', '')}</span>
      <span className="share">{percent(value, whole)}</span>
    </div>
  );
}

function titleOf(row: TopRow): string {
  const kind = row.partlyInlined ? `${row.kind}, in part inlined` : row.kind;
  const source = row.startLine > 0 ? `${row.filename}:${row.startLine}` : row.filename;
  const facts = [kind, row.binary, shortBuildId(row.buildId), source].filter((part) => part !== '');
  return [row.name, facts.join(' · ')].join('\n');
}

function ariaSort(sort: Sort, column: SortColumn): 'ascending' | 'descending' | 'none' {
  if (sort.column !== column) return 'none';
  return sort.descending ? 'descending' : 'ascending';
}

function nextSort(sort: Sort, column: SortColumn): Sort {
  if (sort.column === column) return { column, descending: !sort.descending };
  return { column, descending: column !== 'name' };
}
