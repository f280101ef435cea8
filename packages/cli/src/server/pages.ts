import { FleetflameError } from '@fleetflame/profile';
import type { Store } from '@fleetflame/store';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Handler, Request, Response } from './one-port.ts';
import type { ServerRole } from './services.ts';

export interface AgentStatus {
  readonly state: string;
  /** Why it does not run. */
  readonly reason?: string;
  readonly pid?: number;
  readonly filter?: unknown;
  /** AgentStats of the agent package, while it runs. */
  readonly stats?: unknown;
}

/** What the server can tell about the agent of the same process tree. */
export interface AgentView {
  status(): Promise<AgentStatus>;
  /** Prometheus text of the agent's own registry; "" when there is none. */
  metrics(): Promise<string>;
}

export type Readiness = 'starting' | 'ready' | 'draining';

export interface PageOptions {
  readonly role: ServerRole | 'agent';
  /** Undefined: the role has none. */
  readonly store?: Store;
  readonly registry: Registry;
  readonly log: Logger;
  readonly agent: AgentView | undefined;
  readonly readiness: () => Readiness;
  /** What keeps a process that is ready from doing its work, in words for everybody. Default: nothing. */
  readonly problems?: () => readonly string[];
}

/**
 * The pages of operators: /healthz (the process lives), /readyz (send it requests: it is able), /status (JSON), and
 * /metrics (Prometheus). Everything else goes to `next`.
 */
export function servePages(options: PageOptions, next: Handler): Handler {
  const { role, store, registry, log, agent, readiness } = options;
  const state = (): { ready: boolean; words: string; problems: readonly string[] } => {
    const problems = options.problems?.() ?? [];
    const name = readiness();
    const ready = name === 'ready' && problems.length === 0;
    return { ready, problems, words: name === 'ready' && !ready ? `unable: ${problems.join(', ')}` : name };
  };
  const pages: Readonly<Record<string, (response: Response) => Promise<void> | void>> = {
    '/healthz': (response) => sendText(response, 200, 'ok\n'),
    '/readyz': (response) => {
      const { ready, words } = state();
      sendText(response, ready ? 200 : 503, `${words}\n`);
    },
    '/metrics': async (response) => {
      const text = `${await registry.metrics()}${(await agent?.metrics()) ?? ''}`;
      send(response, 200, registry.contentType, text);
    },
    '/status': async (response) => {
      const { ready, problems } = state();
      const status = {
        role,
        ready,
        ...(problems.length === 0 ? {} : { problems }),
        ...(agent === undefined ? {} : { agent: await agent.status() }),
        ...(store === undefined ? {} : { store: await storeStatus(store) }),
      };
      send(response, 200, 'application/json', `${JSON.stringify(status)}\n`);
    },
  };
  return (request: Request, response: Response) => {
    const page = pages[(request.url ?? '').split('?')[0] ?? ''];
    if (page === undefined) {
      next(request, response);
      return;
    }
    Promise.resolve(page(response)).catch((error: unknown) => {
      log.error({ err: error, url: request.url }, 'a page failed');
      if (!response.headersSent) sendText(response, 500, 'failed; the log says why\n');
    });
  };
}

/** Who looks wants to know what is wrong when something is: the catalog need not answer for that. */
async function storeStatus(store: Store): Promise<object> {
  const health = Object.fromEntries(store.health.states());
  if (!store.health.isAble('read')) return { health };
  try {
    return { ...(await store.status()), health };
  } catch (error) {
    if (error instanceof FleetflameError && error.code === 'unavailable') return { health };
    throw error;
  }
}

export function sendText(response: Response, status: number, body: string): void {
  send(response, status, 'text/plain; charset=utf-8', body);
}

function send(response: Response, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}
