import { Signal } from '../session/signal.ts';
import { decodeView, encodeView } from './codec.ts';
import type { ViewState } from './view-state.ts';

/** Keeps the view and the address bar the same. Back and forward work because pushes are entries. */
export class UrlStore {
  readonly view: Signal<ViewState>;
  /** What of the link could not be read. */
  readonly problems: Signal<readonly string[]>;
  readonly #window: Window;

  constructor(window: Window) {
    this.#window = window;
    const decoded = this.#read();
    this.view = new Signal(decoded.view);
    this.problems = new Signal(decoded.problems);
    window.addEventListener('popstate', this.#onNavigate);
    window.addEventListener('hashchange', this.#onNavigate);
  }

  /** push: a step that Back undoes. replace: a preview on the way to one. */
  change(change: Partial<ViewState>, how: 'push' | 'replace'): void {
    const view = { ...this.view.get(), ...change };
    const url = encodeView(view);
    if (url === encodeView(this.view.get())) return;
    if (how === 'push') this.#window.history.pushState(null, '', url);
    else this.#window.history.replaceState(null, '', url);
    this.view.set(view);
    this.problems.set([]);
  }

  /** The address of a view on this server. */
  linkTo(view: ViewState): string {
    const { origin, pathname } = this.#window.location;
    return `${origin}${pathname}${encodeView(view)}`;
  }

  stop(): void {
    this.#window.removeEventListener('popstate', this.#onNavigate);
    this.#window.removeEventListener('hashchange', this.#onNavigate);
  }

  readonly #onNavigate = (): void => {
    const { view, problems } = this.#read();
    if (encodeView(view) === encodeView(this.view.get())) return;
    this.view.set(view);
    this.problems.set(problems);
  };

  #read(): ReturnType<typeof decodeView> {
    const { search, hash } = this.#window.location;
    return decodeView(search + hash);
  }
}
