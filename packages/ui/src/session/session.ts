import type { QueryClient } from '../api/query-client.ts';
import { resolveRange, type TimeRange, type TimeWindow } from '../time/range.ts';
import type { UrlStore } from '../url/url-store.ts';
import type { ViewState } from '../url/view-state.ts';
import type {
  CountsAnswer,
  FlameAnswer,
  PresenceAnswer,
  SeriesAnswer,
  TopAnswer,
  TypesAnswer,
} from './answers.ts';
import { askCounts, askLabelNames, askPresence, askSeries, askTop, askTypes, type Question } from './ask.ts';
import { chooseProfileType } from './choose-profile-type.ts';
import { FlameSource } from './flame-source.ts';
import { Loader } from './loader.ts';
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
  readonly isPaused = new Signal(false);
  /** The window that is being looked at. */
  readonly window: Signal<TimeWindow>;
  /** When the last round of answers was complete, Unix milliseconds; 0: not yet. */
  readonly refreshedMs = new Signal(0);

  readonly client: QueryClient;
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
    readonly url: UrlStore;
    readonly now?: () => number;
  }) {
    this.client = options.client;
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
    for (const loader of [this.types, this.presence, this.flame, this.top, this.series, this.counts]) {
      loader.expire();
    }
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
      else await this.#ask(view, window, profileType);
    }
    if (round !== this.#round) return;
    this.refreshedMs.set(this.#now());
    this.#schedule(view.range);
  }

  async #ask(view: ViewState, window: TimeWindow, profileType: string): Promise<void> {
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
  }

  #clearAnswers(): void {
    for (const loader of [this.presence, this.flame, this.top, this.series, this.counts, this.labelNames]) {
      loader.clear();
    }
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
