import { FleetflameError } from '@fleetflame/profile';
import type { Store } from '@fleetflame/store';
import type { Registry } from 'prom-client';
import type { DoorHandler, Visit } from './door/guard.ts';
import { Refusal } from './door/refusal.ts';
import type { Response } from './one-port.ts';
import type { ServerRole } from './services.ts';
import { withoutPaths } from './without-paths.ts';

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
  readonly agent: AgentView | undefined;
  readonly readiness: () => Readiness;
  /** What keeps a process that is ready from doing its work, in words for everybody. Default: nothing. */
  readonly problems?: () => readonly string[];
}

/**
 * The pages of operators: /healthz (the process lives), /readyz (send it requests: it is able), /status (JSON), and
 * /metrics (Prometheus). Everything else goes to `next`.
 */
export function servePages(options: PageOptions, next: DoorHandler): DoorHandler {
  const { role, store, registry, agent, readiness } = options;
  const state = (): { ready: boolean; words: string; problems: readonly string[] } => {
    const problems = options.problems?.() ?? [];
    const name = readiness();
    const ready = name === 'ready' && problems.length === 0;
    return { ready, problems, words: name === 'ready' && !ready ? `unable: ${problems.join(', ')}` : name };
  };
  const pages: ReadonlyMap<string, (response: Response) => Promise<void> | void> = new Map([
    ['/healthz', (response: Response) => sendText(response, 200, 'ok\n')],
    [
      '/readyz',
      (response: Response) => {
        const { ready, words } = state();
        sendText(response, ready ? 200 : 503, `${words}\n`);
      },
    ],
    [
      '/metrics',
      async (response: Response) => {
        const text = `${await registry.metrics()}${(await agent?.metrics()) ?? ''}`;
        send(response, 200, registry.contentType, text);
      },
    ],
    [
      '/status',
      async (response: Response) => {
        const { ready, problems } = state();
        const status = {
          role,
          ready,
          ...(problems.length === 0 ? {} : { problems }),
          ...(agent === undefined ? {} : { agent: withoutIdentity(await agent.status()) }),
          ...(store === undefined ? {} : { store: await storeStatus(store) }),
        };
        send(response, 200, 'application/json', `${JSON.stringify(status, forStrangers)}\n`);
      },
    ],
  ]);
  return async (visit: Visit) => {
    const page = pages.get(visit.path);
    if (page === undefined) {
      await next(visit);
      return;
    }
    if (visit.method !== 'GET' && visit.method !== 'HEAD') {
      throw new Refusal('method', 405, 'This page is only read.', { allow: 'GET, HEAD' });
    }
    await page(visit.response);
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

/** Who knows an agent's id and its next number can send in its place: they are in its log alone. */
function withoutIdentity(status: AgentStatus): AgentStatus {
  const { stats } = status;
  if (typeof stats !== 'object' || stats === null) return status;
  return {
    ...status,
    stats: Object.fromEntries(Object.entries(stats).filter(([name]) => !IDENTITY.has(name))),
  };
}

/** Last errors may name files. */
function forStrangers(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? withoutPaths(value) : value;
}

const IDENTITY: ReadonlySet<string> = new Set(['agentId', 'seq']);

export function sendText(response: Response, status: number, body: string): void {
  send(response, status, 'text/plain; charset=utf-8', body);
}

/** Of HEAD the length alone. */
function send(response: Response, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
