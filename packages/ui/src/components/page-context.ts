import { createContext, useContext } from 'react';
import type { FlameSurface } from '../flame/flame-surface.ts';
import type { Session } from '../session/session.ts';
import { Signal } from '../session/signal.ts';
import type { ThemeStore } from '../theme/theme-store.ts';
import type { ViewState } from '../url/view-state.ts';
import { useSignal } from './use-signal.ts';

/** What every part of the page may use. */
export interface Page {
  readonly session: Session;
  readonly theme: ThemeStore;
  /** The flame graph on screen, while there is one. */
  readonly surface: Signal<FlameSurface | undefined>;
  /** Words for screen readers: what just happened. */
  readonly announcement: Signal<string>;
  /** A short message at the bottom; '' for none. */
  readonly toast: Signal<string>;
}

export function createPage(session: Session, theme: ThemeStore): Page {
  return {
    session,
    theme,
    surface: new Signal<FlameSurface | undefined>(undefined),
    announcement: new Signal(''),
    toast: new Signal(''),
  };
}

const PageContext = createContext<Page | undefined>(undefined);
export const PageProvider = PageContext.Provider;

export function usePage(): Page {
  const page = useContext(PageContext);
  if (page === undefined) throw new Error('This component must be inside a PageProvider.');
  return page;
}

export function useView(): ViewState {
  return useSignal(usePage().session.url.view);
}
