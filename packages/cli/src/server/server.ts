import { connectNodeAdapter } from '@connectrpc/connect-node';
import { createIngest } from '@fleetflame/ingest';
import { createQuery } from '@fleetflame/query';
import { createBlocks, Store } from '@fleetflame/store';
import { createSymbols } from '@fleetflame/symbols';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { gzipFast } from './compression.ts';
import { OnePort, type Request, type Response } from './one-port.ts';
import { rpcErrors } from './rpc-errors.ts';
import { StaticFiles } from './static-files.ts';

/** The largest request: a batch of a very large host, or a pprof file; the rest comes in parts. */
const MAX_MESSAGE_BYTES = 64 << 20;
/** Requests that are running at a stop get this long. */
const CLOSE_GRACE_MS = 5000;

const UI_DIRECTORY = fileURLToPath(new URL('../../../ui/dist/app', import.meta.url));

export interface ServerOptions {
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly retentionMs: number;
  readonly log: Logger;
  /** What runs beside the server, for /status and /metrics. */
  readonly agent: AgentView;
}

/** What the server can tell about the agent of the same process tree. */
export interface AgentView {
  status(): { readonly state: string; readonly reason?: string; readonly filter?: unknown };
  /** Prometheus text of the agent's own registry; "" when there is none. */
  metrics(): Promise<string>;
}

export interface Server {
  readonly port: number;
  close(): Promise<void>;
}

/** Store, symbols, ingest, query and UI on one port. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { log } = options;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const store = await Store.open({
    dataDir: options.dataDir,
    retentionMs: options.retentionMs,
    log: log.child({ part: 'store' }),
    registry,
  });
  const symbols = createSymbols({ storage: store.objects, log: log.child({ part: 'symbols' }), registry });
  const ingest = createIngest({ store, log: log.child({ part: 'ingest' }), registry });
  const query = createQuery({ store, symbols: symbols.store, log: log.child({ part: 'query' }), registry });
  const blocks = createBlocks({ store, registry });
  const ui = await StaticFiles.load(UI_DIRECTORY);
  let ready = false;

  const rpc = connectNodeAdapter({
    routes: (router) => {
      ingest.routes(router);
      symbols.routes(router);
      query.routes(router);
      blocks.routes(router);
    },
    interceptors: [rpcErrors(log.child({ part: 'rpc' }))],
    acceptCompression: [gzipFast],
    compressMinBytes: 2048,
    // A misspelt field of a JSON request is an error, not a default.
    jsonOptions: { ignoreUnknownFields: false },
    readMaxBytes: MAX_MESSAGE_BYTES,
    fallback: (nodeRequest, nodeResponse) => {
      // One of the two classes of OnePort's handler, which passed it on.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      const request = nodeRequest as Request;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      const response = nodeResponse as Response;
      if (ui?.serve(request, response) === true) return;
      const missing = ui === undefined && (request.url === '/' || request.url === '/index.html');
      send(
        response,
        404,
        'text/plain; charset=utf-8',
        missing ? 'the UI has not been built: ./fleetflame up builds it\n' : 'not found\n',
      );
    },
  });

  const pages: Readonly<Record<string, (response: Response) => Promise<void> | void>> = {
    '/healthz': (response) => send(response, 200, 'text/plain; charset=utf-8', 'ok\n'),
    '/readyz': (response) =>
      ready
        ? send(response, 200, 'text/plain; charset=utf-8', 'ready\n')
        : send(response, 503, 'text/plain; charset=utf-8', 'stopping or starting\n'),
    '/metrics': async (response) =>
      send(
        response,
        200,
        registry.contentType,
        `${await registry.metrics()}${await options.agent.metrics()}`,
      ),
    '/status': async (response) =>
      send(
        response,
        200,
        'application/json',
        `${JSON.stringify({ ready, agent: options.agent.status(), store: await store.status() })}\n`,
      ),
  };

  const port = new OnePort((request, response) => {
    const page = pages[(request.url ?? '').split('?')[0] ?? ''];
    if (page === undefined) {
      rpc(request, response);
      return;
    }
    Promise.resolve(page(response)).catch((error: unknown) => {
      log.error({ err: error, url: request.url }, 'a page failed');
      if (!response.headersSent)
        send(response, 500, 'text/plain; charset=utf-8', 'failed; the log says why\n');
    });
  });

  const closeParts = async (): Promise<void> => {
    await ingest.close();
    await query.close();
    await symbols.close();
    await store.close();
  };
  let bound: number;
  try {
    bound = await port.listen(options.host, options.port);
  } catch (error) {
    await closeParts();
    throw error;
  }
  store.startMaintenance();
  ready = true;
  return {
    port: bound,
    async close() {
      ready = false;
      await port.close(CLOSE_GRACE_MS);
      await closeParts();
    },
  };
}

function send(response: Response, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}
