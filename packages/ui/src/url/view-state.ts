import type { FlameDirection } from '../flame/viewport.ts';
import { DEFAULT_LAST_MS, type TimeRange } from '../time/range.ts';

/** symbols: the binaries of the answer and how well their code is named. */
export const LAYOUTS = ['split', 'flame', 'table', 'symbols'] as const;
export type Layout = (typeof LAYOUTS)[number];

export const SORT_COLUMNS = ['name', 'self', 'total'] as const;
export type SortColumn = (typeof SORT_COLUMNS)[number];

export interface Sort {
  readonly column: SortColumn;
  readonly descending: boolean;
}

/** Everything that changes what is seen and that a link must carry. */
export interface ViewState {
  readonly range: TimeRange;
  /** Prometheus matchers; '' selects all. */
  readonly selector: string;
  /** '' lets the page choose: CPU where there is some. */
  readonly profileType: string;
  /** Labels that become the top rows of the flame graph, outermost first. */
  readonly groupBy: readonly string[];
  /** Label that the chart is stacked by; '' for one area. */
  readonly chartBy: string;
  readonly layout: Layout;
  readonly direction: FlameDirection;
  /** Frame names from below the root to the focused box; empty: the whole. */
  readonly focus: readonly string[];
  /** Id of the selected function; '' for none. */
  readonly selected: string;
  readonly search: string;
  readonly sort: Sort;
}

export const DEFAULT_VIEW: ViewState = {
  range: { kind: 'last', lastMs: DEFAULT_LAST_MS },
  selector: '',
  profileType: '',
  groupBy: ['service_name'],
  chartBy: 'service_name',
  layout: 'split',
  direction: 'icicle',
  focus: [],
  selected: '',
  search: '',
  sort: { column: 'self', descending: true },
};
