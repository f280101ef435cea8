import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type CatalogConfig,
  type CopyOptions,
  type EraseLimits,
  type ObjectStoreConfig,
  type RollupOptions,
  Store,
  type MaintenanceLimits,
} from '@fleetflame/store';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { gzipFast } from './compression.ts';
import { Door } from './door/door.ts';
import { COMPRESS_MIN_BYTES } from './door/encoded-answer.ts';
import type { DoorLimits } from './door/limits.ts';
import { endOnUncaught } from './door/uncaught.ts';
import type { PortSource } from './one-port.ts';
import { type AgentView, type Readiness, sendText, servePages } from './pages.ts';
import { rpcErrors } from './rpc-errors.ts';
import { RoleReadiness } from './role-readiness.ts';
import { createServices, type ServerRole, type ServiceOptions } from './services.ts';
import { StaticFiles } from './static-files.ts';

/** What Connect takes; the door looks at sizes before, per method. */
const MAX_MESSAGE_BYTES = 64 << 20;
/** Requests that are running at a stop get this long: below the 30 s after which Kubernetes kills. */
export const CLOSE_GRACE_MS = 20_000;

const UI_DIRECTORY = fileURLToPath(new URL('../../../ui/dist/app', import.meta.url));

export interface ServerOptions extends Pick<ServiceOptions, 'ingestLimits' | 'queryLimits' | 'debuginfod'> {
  readonly role: ServerRole;
  /** As Store.open takes them. */
  readonly dataDir?: string;
  readonly objects?: ObjectStoreConfig;
  readonly catalog?: CatalogConfig;
  readonly host: string;
  readonly port: number;
  /** As OnePort.listen takes it. */
  readonly portFrom?: PortSource;
  readonly retentionMs: number;
  /** As Store.open takes them. */
  readonly rememberBatchesMs?: number;
  readonly rollups?: RollupOptions;
  readonly shards?: number;
  readonly copies?: CopyOptions;
  readonly maintenanceLimits?: Partial<MaintenanceLimits>;
  readonly eraseLimits?: Partial<EraseLimits>;
  /** At a stop, how long requests are still taken while /readyz says no. */
  readonly drainMs: number;
  readonly log: Logger;
  readonly doorLimits?: Partial<DoorLimits>;
  /** As DoorOptions has them. */
  readonly allowHost?: readonly string[];
  readonly trustedProxies?: readonly string[];
  /** What runs beside the server, for /status and /metrics. */
  readonly agent?: AgentView;
}

export interface Server {
  readonly port: number;
  /** Not ready; then no new connections, open segments written, running requests answered; then the store. */
  close(): Promise<void>;
}

/** The services of one role on one port: of all of them for `up`. The UI comes with queries. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { role, log, agent } = options;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const door = new Door({
    registry,
    log: log.child({ part: 'door' }),
    host: options.host,
    ...(options.doorLimits === undefined ? {} : { limits: options.doorLimits }),
    ...(options.allowHost === undefined ? {} : { allowHost: options.allowHost }),
    ...(options.trustedProxies === undefined ? {} : { trustedProxies: options.trustedProxies }),
  });
  endOnUncaught(log, door.metrics);
  const store = await Store.open({ ...options, log: log.child({ part: 'store' }), registry });
  const services = createServices({ ...options, store, registry });
  const hasUi = role === 'up' || role === 'query';
  const ui = hasUi ? await StaticFiles.load(UI_DIRECTORY) : undefined;
  let readiness: Readiness = 'starting';
  const able = new RoleReadiness(role, store, registry);

  const rpc = door.rpc(
    (router) => services.routes(router),
    {
      interceptors: [rpcErrors(log.child({ part: 'rpc' }))],
      acceptCompression: [gzipFast],
      compressMinBytes: COMPRESS_MIN_BYTES,
      // A misspelt field of a JSON request is an error, not a default.
      jsonOptions: { ignoreUnknownFields: false },
      readMaxBytes: MAX_MESSAGE_BYTES,
    },
    options.ingestLimits,
    (visit) => {
      if (ui?.serve(visit) === true) return;
      const missing = hasUi && ui === undefined && (visit.path === '/' || visit.path === '/index.html');
      sendText(
        visit.response,
        404,
        missing ? 'the UI has not been built: ./fleetflame up builds it\n' : 'not found\n',
      );
    },
  );
  const port = door.open(
    servePages(
      { role, store, registry, agent, readiness: () => readiness, problems: () => able.problems() },
      rpc,
    ),
  );

  const closeParts = async (): Promise<void> => {
    await able.close();
    await services.close();
    await store.close();
  };
  let bound: number;
  try {
    bound = await port.listen(options.host, options.port, options.portFrom);
  } catch (error) {
    await closeParts();
    throw error;
  }
  services.start();
  readiness = 'ready';
  return {
    port: bound,
    async close() {
      readiness = 'draining';
      await sleep(options.drainMs);
      await Promise.all([port.close(CLOSE_GRACE_MS), services.hurry()]);
      await closeParts();
    },
  };
}
