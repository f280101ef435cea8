import type { Query } from '../flame/search.ts';
import type { TopRow } from '../session/answers.ts';
import type { Sort } from '../url/view-state.ts';

/** Rows whose name, file or binary matches; all when nothing is searched. */
export function filterRows(rows: readonly TopRow[], query: Query): readonly TopRow[] {
  if (query.kind !== 'match') return rows;
  return rows.filter(
    ({ name, filename, binary }) => query.test(name) || query.test(filename) || query.test(binary),
  );
}

/** Equal values are in order of name, whichever way the column is sorted. */
export function sortRows(rows: readonly TopRow[], sort: Sort): readonly TopRow[] {
  const sign = sort.descending ? -1 : 1;
  const { column } = sort;
  if (column === 'name') return rows.toSorted((a, b) => sign * byName(a, b));
  return rows.toSorted((a, b) => sign * (a[column] - b[column]) || byName(a, b));
}

function byName(a: TopRow, b: TopRow): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
