import { createRouterTransport } from '@connectrpc/connect';
import type { Block } from '@fleetflame/profile';
import { createRoot, type Root } from 'react-dom/client';
import { createQueryClient } from '../api/query-client.ts';
import { createSymbolsClient } from '../api/symbols-client.ts';
import { App } from '../components/app.tsx';
import { createPage } from '../components/page-context.ts';
import { Session } from '../session/session.ts';
import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/chrome.css';
import '../styles/regions.css';
import '../styles/table.css';
import '../styles/details.css';
import { ThemeStore } from '../theme/theme-store.ts';
import { UrlStore } from '../url/url-store.ts';
import { memoryQuery } from './memory-query.ts';
import { memorySymbols } from './memory-symbols.ts';

/** The whole page in this browser, over blocks in memory. */
export interface OpenPage {
  readonly session: Session;
  /** Errors that nobody caught. */
  readonly errors: readonly string[];
  close(): void;
}

export function openPage(
  address: string,
  blocks: () => readonly Block[],
  missing: Parameters<typeof memoryQuery>[1] = [],
  binaries: Parameters<typeof memorySymbols>[0] = [],
): OpenPage {
  window.history.replaceState(null, '', address);
  const errors: string[] = [];
  const onError = (event: ErrorEvent | PromiseRejectionEvent): void => {
    errors.push(String('reason' in event ? event.reason : event.message));
  };
  window.addEventListener('error', onError);
  window.addEventListener('unhandledrejection', onError);

  const host = document.createElement('div');
  host.id = 'root';
  document.body.replaceChildren(host);
  document.documentElement.style.height = '100%';
  const theme = new ThemeStore(document.documentElement);
  const url = new UrlStore(window);
  const transport = createRouterTransport((router) => {
    memoryQuery(blocks, missing)(router);
    memorySymbols(binaries)(router);
  });
  const session = new Session({
    client: createQueryClient(transport),
    symbolsClient: createSymbolsClient(transport),
    url,
  });
  const root: Root = createRoot(host);
  root.render(<App page={createPage(session, theme)} />);
  session.start();
  return {
    session,
    errors,
    close() {
      session.stop();
      url.stop();
      theme.stop();
      root.unmount();
      window.removeEventListener('error', onError);
      window.removeEventListener('unhandledrejection', onError);
    },
  };
}
