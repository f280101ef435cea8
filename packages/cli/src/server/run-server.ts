import { isIP } from 'node:net';
import { INGEST_LIMITS } from '@fleetflame/ingest';
import { QUERY_LIMITS } from '@fleetflame/query';
import {
  ERASE_LIMITS,
  MAINTENANCE_LIMITS,
  POSTGRES_LIMITS,
  S3_LIMITS,
  type RollupOptions,
} from '@fleetflame/store';
import type { Logger } from 'pino';
import { printText } from '../client/output.ts';
import { Config, type LimitTables } from '../config/config.ts';
import { formatConfig } from '../config/print-config.ts';
import { storePlace } from '../config/store-place.ts';
import { DOOR_LIMITS } from './door/limits.ts';
import { createLogger } from './logger.ts';
import { parseListen, type PortSource } from './one-port.ts';
import type { AgentView } from './pages.ts';
import { startServer, type Server } from './server.ts';
import type { ServerRole } from './services.ts';

const SERVERS = ['up', 'ingest', 'query', 'compactor', 'symbolizer'] as const;
/** Of all parts, by which roles have them. */
export const LIMITS: LimitTables = {
  ingest: { roles: ['up', 'ingest'], limits: { ...INGEST_LIMITS } },
  query: { roles: ['up', 'query'], limits: { ...QUERY_LIMITS } },
  erase: { roles: ['up', 'query'], limits: { ...ERASE_LIMITS } },
  door: { roles: SERVERS, limits: { ...DOOR_LIMITS } },
  objects: { roles: SERVERS, limits: { ...S3_LIMITS } },
  catalog: { roles: SERVERS, limits: { ...POSTGRES_LIMITS } },
  maintenance: { roles: ['up', 'compactor'], limits: { ...MAINTENANCE_LIMITS } },
};

export interface RunningServer {
  readonly config: Config;
  readonly server: Server;
  readonly url: string;
  readonly port: number;
  readonly dataDir: string | undefined;
  readonly log: Logger;
}

/** The settings of a role; undefined where these were only to be shown. */
export async function loadConfig(
  role: ServerRole,
  flags: Readonly<Record<string, unknown>>,
): Promise<Config | undefined> {
  const config = await Config.load(role, flags, process.env, LIMITS);
  if (flags['printConfig'] !== true) return config;
  printText(formatConfig(config));
  return undefined;
}

/** The server of a role by its settings. */
export async function runServer(
  role: ServerRole,
  config: Config,
  options: {
    readonly agent?: (log: Logger) => AgentView;
    /** Default: what the settings say. */
    readonly port?: number;
    readonly portFrom?: PortSource;
  } = {},
): Promise<RunningServer> {
  const { host, port: wanted } = parseListen(config.requiredText('listen'), config.nameOf('listen'));
  const place = storePlace(config);
  const log = createLogger(role, config.requiredText('logLevel'));
  const server = await startServer({
    ...place,
    role,
    host,
    port: options.port ?? wanted,
    ...(options.portFrom === undefined ? {} : { portFrom: options.portFrom }),
    log,
    retentionMs: config.number('retention'),
    rememberBatchesMs: config.number('rememberBatches'),
    ...rollupsOf(config, role),
    ...(role === 'up' || role === 'compactor' ? { shards: config.number('shards') } : {}),
    ...(role === 'up'
      ? { copies: { everyMs: config.number('catalog.copyEvery'), kept: config.number('catalog.copies') } }
      : {}),
    drainMs: config.number('drain'),
    ingestLimits: config.limits('ingest'),
    queryLimits: config.limits('query'),
    ...(role === 'up' || role === 'compactor' ? { maintenanceLimits: config.limits('maintenance') } : {}),
    ...(role === 'up' || role === 'query' ? { eraseLimits: config.limits('erase') } : {}),
    doorLimits: config.limits('door'),
    // The name that it listens on is its own.
    allowHost: [...config.list('allowHost'), ...(isIP(host) === 0 && host !== 'localhost' ? [host] : [])],
    trustedProxies: config.list('trustedProxies'),
    debuginfod: config.list('symbols.debuginfod'),
    ...(options.agent === undefined ? {} : { agent: options.agent(log) }),
  });
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
  if (host !== '127.0.0.1' && host !== '::1' && host !== 'localhost') {
    log.warn(
      { host },
      'listening beyond this host: anybody who reaches the port can read and write profiles',
    );
  }
  return { config, server, url, port: server.port, dataDir: place.dataDir, log };
}

/** Who compacts has to know the labels, who queries only how long blocks are kept. */
function rollupsOf(config: Config, role: ServerRole): { readonly rollups?: RollupOptions } {
  const fiveMinutesMs = config.number('rollups.fiveMinutes');
  const hourMs = config.number('rollups.hours');
  if (fiveMinutesMs === 0 && hourMs === 0) return {};
  const dropLabels = role === 'up' || role === 'compactor' ? config.list('rollups.dropLabels') : [];
  return { rollups: { fiveMinutesMs, hourMs, ...(dropLabels.length > 0 ? { dropLabels } : {}) } };
}

/** Resolves at the first SIGINT or SIGTERM; the second ends the process at once. */
export async function stopSignal(log: Logger): Promise<void> {
  await new Promise<void>((resolve) => {
    let stopping = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (stopping) {
          log.warn('a second signal: ending without waiting');
          process.exit(130);
        }
        stopping = true;
        resolve();
      });
    }
  });
}
