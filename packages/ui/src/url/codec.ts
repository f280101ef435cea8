import { SHORTEST_RANGE_MS, type TimeRange } from '../time/range.ts';
import { DEFAULT_VIEW, LAYOUTS, SORT_COLUMNS, type Sort, type ViewState } from './view-state.ts';

/**
 * The one place that reads and writes the address bar.
 *
 *   /?v=1&t=-15m..now&scope={service_name="api"}&m=cpu&by=service_name&view=flame&q=parse#focus=main~handle
 *
 * What equals the default is left out. The focus is in the fragment, because a path of C++ names can
 * be longer than servers accept in a request line. A parameter that cannot be read takes its default
 * and is named in `problems`, never silently.
 */
export const URL_VERSION = 1;

export interface DecodedView {
  readonly view: ViewState;
  /** Sentences about what could not be read; empty when all could. */
  readonly problems: readonly string[];
}

/** '?…#…', or '' parts where nothing differs from the default; starts with '?'. */
export function encodeView(view: ViewState): string {
  const params = new URLSearchParams({ v: String(URL_VERSION) });
  const put = (name: string, value: string, byDefault: string): void => {
    if (value !== byDefault) params.set(name, value);
  };
  put('t', encodeRange(view.range), encodeRange(DEFAULT_VIEW.range));
  put('scope', view.selector, DEFAULT_VIEW.selector);
  put('m', view.profileType, DEFAULT_VIEW.profileType);
  put('by', encodeList(view.groupBy), encodeList(DEFAULT_VIEW.groupBy));
  put('area', view.chartBy, DEFAULT_VIEW.chartBy);
  put('view', view.layout, DEFAULT_VIEW.layout);
  put('dir', view.direction, DEFAULT_VIEW.direction);
  put('sel', view.selected, DEFAULT_VIEW.selected);
  put('q', view.search, DEFAULT_VIEW.search);
  put('sort', encodeSort(view.sort), encodeSort(DEFAULT_VIEW.sort));
  const fragment = view.focus.length === 0 ? '' : `#focus=${encodeURIComponent(encodeList(view.focus))}`;
  return `?${params.toString()}${fragment}`;
}

/** Reads what `encodeView` writes, with or without the question mark. */
export function decodeView(text: string): DecodedView {
  const [query, fragment = ''] = splitOnce(text.replace(/^\?/u, ''), '#');
  const params = new URLSearchParams(query);
  const problems: string[] = [];
  const version = params.get('v');
  if (version !== null && version !== String(URL_VERSION)) {
    problems.push(
      `This link has version ${version}, this page knows version ${URL_VERSION}: parts of it may be lost.`,
    );
  }
  const read = <T>(name: string, byDefault: T, decode: (text: string) => T | undefined): T => {
    const value = params.get(name);
    if (value === null) return byDefault;
    const decoded = decode(value);
    if (decoded !== undefined) return decoded;
    problems.push(`The link's “${name}” (${JSON.stringify(value)}) cannot be read; the default is shown.`);
    return byDefault;
  };
  const view: ViewState = {
    range: read('t', DEFAULT_VIEW.range, decodeRange),
    selector: read('scope', DEFAULT_VIEW.selector, asIs),
    profileType: read('m', DEFAULT_VIEW.profileType, asIs),
    groupBy: read('by', DEFAULT_VIEW.groupBy, decodeList),
    chartBy: read('area', DEFAULT_VIEW.chartBy, asIs),
    layout: read('view', DEFAULT_VIEW.layout, (value) => LAYOUTS.find((l) => l === value)),
    direction: read('dir', DEFAULT_VIEW.direction, (value) =>
      value === 'icicle' || value === 'flame' ? value : undefined,
    ),
    focus: decodeFocus(fragment, problems),
    selected: read('sel', DEFAULT_VIEW.selected, asIs),
    search: read('q', DEFAULT_VIEW.search, asIs),
    sort: read('sort', DEFAULT_VIEW.sort, decodeSort),
  };
  return { view, problems };
}

function asIs(value: string): string {
  return value;
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, '': 1 };

function encodeRange(range: TimeRange): string {
  if (range.kind === 'absolute') {
    return `${new Date(range.fromMs).toISOString()}..${new Date(range.toMs).toISOString()}`;
  }
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = UNITS[unit] ?? 1;
    if (range.lastMs % size === 0) return `-${range.lastMs / size}${unit}..now`;
  }
  return `-${range.lastMs}..now`;
}

function decodeRange(text: string): TimeRange | undefined {
  const last = /^-(\d{1,15})([smhd]?)\.\.now$/u.exec(text);
  if (last !== null) {
    const lastMs = Number(last[1]) * (UNITS[last[2] ?? ''] ?? 1);
    return lastMs >= SHORTEST_RANGE_MS && lastMs <= 8.64e15 ? { kind: 'last', lastMs } : undefined;
  }
  const [from, to = ''] = splitOnce(text, '..');
  const fromMs = Date.parse(from);
  const toMs = Date.parse(to);
  return fromMs < toMs ? { kind: 'absolute', fromMs, toMs } : undefined;
}

function encodeSort(sort: Sort): string {
  return `${sort.column}.${sort.descending ? 'desc' : 'asc'}`;
}

function decodeSort(text: string): Sort | undefined {
  const [name, order] = text.split('.');
  const column = SORT_COLUMNS.find((c) => c === name);
  if (column === undefined || (order !== 'asc' && order !== 'desc')) return undefined;
  return { column, descending: order === 'desc' };
}

/** Items joined by '~'; '!t' stands for '~' and '!e' for '!'; an empty item is '!0'. */
function encodeList(items: readonly string[]): string {
  return items
    .map((item) => (item === '' ? '!0' : item.toWellFormed().replaceAll('!', '!e').replaceAll('~', '!t')))
    .join('~');
}

function decodeList(text: string): readonly string[] {
  if (text === '') return [];
  return text
    .split('~')
    .map((item) => (item === '!0' ? '' : item.replaceAll('!t', '~').replaceAll('!e', '!')));
}

function decodeFocus(fragment: string, problems: string[]): readonly string[] {
  if (!fragment.startsWith('focus=')) return DEFAULT_VIEW.focus;
  try {
    return decodeList(decodeURIComponent(fragment.slice('focus='.length)));
  } catch {
    problems.push('The focus of the link cannot be read; the whole graph is shown.');
    return DEFAULT_VIEW.focus;
  }
}

function splitOnce(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
