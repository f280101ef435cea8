import type { Page } from './page-context.ts';

/** live: the range stays relative to now. pinned: the window that is on screen, for good. */
export type LinkKind = 'live' | 'pinned';

export function linkFor(page: Page, kind: LinkKind): string {
  const { session } = page;
  const view = session.url.view.get();
  const window = session.window.get();
  return session.url.linkTo(kind === 'live' ? view : { ...view, range: { kind: 'absolute', ...window } });
}

export async function copyLink(page: Page, kind: LinkKind): Promise<void> {
  const isLive = kind === 'live' && page.session.url.view.get().range.kind === 'last';
  try {
    await navigator.clipboard.writeText(linkFor(page, kind));
    page.toast.set(
      isLive ? 'Live link copied: it follows the time.' : 'Pinned link copied: it shows this very range.',
    );
  } catch {
    page.toast.set('The browser did not allow copying. The address bar holds the link.');
  }
}
