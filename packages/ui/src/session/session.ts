import type { QueryClient } from '../api/query-client.ts';
import type { SymbolsClient } from '../api/symbols-client.ts';
import { resolveRange, type TimeRange, type TimeWindow } from '../time/range.ts';
import type { UrlStore } from '../url/url-store.ts';
import type { ViewState } from '../url/view-state.ts';
import type {
  BinariesAnswer,
  CountsAnswer,
  FlameAnswer,
  FunctionAnswer,
  PresenceAnswer,
  SeriesAnswer,
  StatusAnswer,
  TopAnswer,
  TypesAnswer,
} from './answers.ts';
import { askBinaries, askStatus, buildIdsOf } from './ask-symbols.ts';
import {
  askCounts,
  askFunction,
  askLabelNames,
  askPresence,
  askSeries,
  askTop,
  askTypes,
  type Question,
} from './ask.ts';
import { chooseProfileType } from './choose-profile-type.ts';
import { FlameSource } from './flame-source.ts';
import { Loader } from './loader.ts';
import { selectedFunction, type SelectedFunction } from './selected-function.ts';
import { Signal } from './signal.ts';

/**
 * What the page knows and asks. The address bar says what to look at; the session turns that into
 * questions, keeps the answers, and asks again while the range is live. All answers of one round are
 * about the same window, so that their numbers agree.
 */
export class Session {
  readonly types = new Loader<TypesAnswer>();
  readonly presence = new Loader<PresenceAnswer>();
  readonly flame = new Loader<FlameAnswer>();
  readonly top = new Loader<TopAnswer>();
  readonly series = new Loader<SeriesAnswer>();
  readonly counts = new Loader<CountsAnswer>();
  readonly labelNames = new Loader<readonly string[]>();
  /** Of the selected function. */
  readonly details = new Loader<FunctionAnswer>();
  /** Asked for while they are shown, and then what the server has of their symbols. */
  readonly binaries = new Loader<BinariesAnswer>();
  readonly symbolStatus = new Loader<StatusAnswer>();
  readonly isPaused = new Signal(false);
  /** The window that is being looked at. */
  readonly window: Signal<TimeWindow>;
  /** When the last round of answers was complete, Unix milliseconds; 0: not yet. */
  readonly refreshedMs = new Signal(0);

  readonly client: QueryClient;
  readonly symbolsClient: SymbolsClient;
  readonly url: UrlStore;
  readonly #now: () => number;
  readonly #flames = new FlameSource();
  #loadedRange: TimeRange | undefined;
  #loadedScope = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round = 0;
  #unsubscribe: (() => void) | undefined;

  constructor(options: {
    readonly client: QueryClient;
    readonly symbolsClient: SymbolsClient;
    readonly url: UrlStore;
    readonly now?: () => number;
  }) {
    this.client = options.client;
    this.symbolsClient = options.symbolsClient;
    this.url = options.url;
    this.#now = options.now ?? Date.now;
    this.window = new Signal(resolveRange(options.url.view.get().range, this.#now()));
  }

  start(): void {
    this.#unsubscribe = this.url.view.subscribe(() => void this.#load());
    document.addEventListener('visibilitychange', this.#onVisibility);
    void this.#load();
  }

  stop(): void {
    // Answers that are under way belong to a round that is over.
    this.#round++;
    this.#unsubscribe?.();
    document.removeEventListener('visibilitychange', this.#onVisibility);
    clearTimeout(this.#timer);
  }

  setView(change: Partial<ViewState>, how: 'push' | 'replace'): void {
    this.url.change(change, how);
  }

  setPaused(isPaused: boolean): void {
    this.isPaused.set(isPaused);
    if (!isPaused) void this.refresh();
  }

  /** Asks everything again, for a live range up to now. */
  async refresh(): Promise<void> {
    this.#loadedRange = undefined;
    this.#flames.forget();
    for (const loader of [...this.#answers(), this.types, this.symbolStatus]) loader.expire();
    await this.#load();
  }

  readonly #onVisibility = (): void => {
    if (document.visibilityState === 'visible' && this.#isLive()) void this.refresh();
  };

  #isLive(): boolean {
    return this.url.view.get().range.kind === 'last' && !this.isPaused.get();
  }

  async #load(): Promise<void> {
    const view = this.url.view.get();
    const round = ++this.#round;
    clearTimeout(this.#timer);
    const scope = JSON.stringify([view.selector, view.profileType, view.groupBy]);
    // A change of the chart or of the focus alone keeps the window, so that numbers stay comparable.
    const keepsWindow =
      this.#loadedRange === view.range && (scope === this.#loadedScope || this.isPaused.get());
    if (!keepsWindow) this.window.set(resolveRange(view.range, this.#now()));
    this.#loadedRange = view.range;
    this.#loadedScope = scope;
    const window = this.window.get();
    await this.types.load(keyOf(window), (signal) => askTypes(this.client, window, signal));
    if (round !== this.#round) return;
    const types = this.types.state.get();
    if (types.value !== undefined && types.failure === undefined) {
      const profileType = chooseProfileType(view.profileType, types.value.types);
      if (profileType === undefined) this.#clearAnswers();
      else await this.#ask(view, window, profileType, round);
    }
    if (round !== this.#round) return;
    this.refreshedMs.set(this.#now());
    this.#schedule(view.range);
  }

  async #ask(view: ViewState, window: TimeWindow, profileType: string, round: number): Promise<void> {
    const question = (signal: AbortSignal): Question => ({
      client: this.client,
      signal,
      window,
      selector: view.selector,
      profileType,
    });
    const fleet = keyOf(window, profileType);
    const scope = keyOf(window, profileType, view.selector);
    // Averages need the span: the other answers show up only once it is known.
    const presence = this.presence.load(fleet, (signal) => askPresence(question(signal)));
    const after = async <T>(answer: Promise<T>): Promise<T> => {
      const [value] = await Promise.all([answer, presence]);
      return value;
    };
    await Promise.all([
      presence,
      this.labelNames.load(fleet, (signal) => askLabelNames(question(signal))),
      this.series.load(keyOf(scope, view.chartBy), (signal) =>
        after(askSeries(question(signal), view.chartBy)),
      ),
      this.flame.load(keyOf(scope, ...view.groupBy, '', ...view.focus), (signal) =>
        after(this.#flames.ask(question(signal), view.groupBy, view.focus)),
      ),
      this.top.load(scope, (signal) => after(askTop(question(signal)))),
      this.counts.load(scope, (signal) => askCounts(question(signal))),
    ]);
    // Another view may have been chosen meanwhile: its round asks what follows.
    if (round !== this.#round) return;
    // What follows is about functions that these name, or reuses what the server has summed for them.
    const flame = this.flame.state.get().value;
    const top = this.top.state.get().value;
    await Promise.all([
      this.#askDetails(view, selectedFunction(view.selected, top, flame), scope, question),
      this.#askSymbols(view, scope, question),
    ]);
  }

  async #askDetails(
    view: ViewState,
    fn: SelectedFunction | undefined,
    scope: string,
    question: (signal: AbortSignal) => Question,
  ): Promise<void> {
    const isShown = view.layout === 'split' || view.layout === 'table';
    if (fn === undefined || !isShown) this.details.clear();
    else {
      const key = keyOf(scope, view.selected);
      await this.details.load(key, (signal) => askFunction(question(signal), view.selected, fn));
    }
  }

  async #askSymbols(
    view: ViewState,
    scope: string,
    question: (signal: AbortSignal) => Question,
  ): Promise<void> {
    if (view.layout !== 'symbols') return;
    await this.binaries.load(scope, (signal) => askBinaries(question(signal)));
    const buildIds = buildIdsOf(this.binaries.state.get().value);
    await this.symbolStatus.load(keyOf('', ...buildIds), (signal) =>
      askStatus(this.symbolsClient, buildIds, signal),
    );
  }

  #answers() {
    return [
      this.presence,
      this.flame,
      this.top,
      this.series,
      this.counts,
      this.details,
      this.binaries,
    ] as const;
  }

  #clearAnswers(): void {
    for (const loader of [...this.#answers(), this.labelNames]) loader.clear();
  }

  #schedule(range: TimeRange): void {
    if (range.kind !== 'last' || !this.#isLive()) return;
    this.#timer = setTimeout(() => {
      if (document.visibilityState === 'visible' && this.#isLive()) void this.refresh();
    }, refreshIntervalMs(range.lastMs));
  }
}

/** A live page asks every 10 s, and less often where 10 s are less than a pixel. */
export function refreshIntervalMs(lastMs: number): number {
  return Math.min(120_000, Math.max(10_000, lastMs / 720));
}

function keyOf(first: TimeWindow | string, ...rest: readonly string[]): string {
  const head = typeof first === 'string' ? first : `${first.fromMs}-${first.toMs}`;
  return JSON.stringify([head, ...rest]);
}
