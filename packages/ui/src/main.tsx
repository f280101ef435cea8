import './styles/tokens.css';
import './styles/base.css';
import './styles/chrome.css';
import './styles/regions.css';
import './styles/table.css';
import './styles/details.css';
import { createRoot } from 'react-dom/client';
import { createQueryClient } from './api/query-client.ts';
import { createSymbolsClient } from './api/symbols-client.ts';
import { App } from './components/app.tsx';
import { createPage } from './components/page-context.ts';
import { Session } from './session/session.ts';
import { ThemeStore } from './theme/theme-store.ts';
import { UrlStore } from './url/url-store.ts';

const root = document.querySelector('#root');
if (root === null) throw new Error('index.html has no element #root.');

const theme = new ThemeStore(document.documentElement);
const session = new Session({
  client: createQueryClient(),
  symbolsClient: createSymbolsClient(),
  url: new UrlStore(window),
});
createRoot(root).render(<App page={createPage(session, theme)} />);
session.start();
