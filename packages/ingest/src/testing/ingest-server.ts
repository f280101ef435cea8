/** A real server on loopback with a real store under it. */
import { once } from 'node:events';
import { createServer } from 'node:http2';
import { Code, ConnectError, createClient, type Client, type Interceptor } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { ERROR_CODE_HEADER, ERROR_CODES, FleetflameError } from '@fleetflame/profile';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import { Store } from '@fleetflame/store';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createIngest, type Ingest, type IngestOptions } from '../ingest.ts';

const DAY_MS = 86_400_000;
const STATUS = new Map<string, Code>([
  ['invalid_argument', Code.InvalidArgument],
  ['out_of_range', Code.OutOfRange],
  ['already_exists', Code.AlreadyExists],
  ['resource_exhausted', Code.ResourceExhausted],
  ['unavailable', Code.Unavailable],
  ['failed_precondition', Code.FailedPrecondition],
]);

const errors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    const { status } = ERROR_CODES[error.code];
    const field = error.field === undefined ? {} : { field: encodeURI(error.field) };
    const headers = { [ERROR_CODE_HEADER]: error.code, ...field };
    throw new ConnectError(error.message, STATUS.get(status) ?? Code.Internal, headers);
  }
};

export interface IngestServer extends AsyncDisposable {
  readonly store: Store;
  readonly ingest: Ingest;
  readonly registry: Registry;
  readonly client: Client<typeof IngestService>;
  readonly url: string;
  /** Stops taking, flushes, closes the store. */
  close(): Promise<void>;
}

export async function startIngestServer(
  dataDir: string,
  options: Partial<IngestOptions> & {
    readonly wrap?: (store: Store) => IngestOptions['store'];
    readonly rememberBatchesMs?: number;
  } = {},
): Promise<IngestServer> {
  const registry = new Registry();
  const log = pino({ level: 'silent' });
  const { wrap = (whole: Store) => whole, rememberBatchesMs, ...rest } = options;
  const { now } = rest;
  const store = await Store.open({
    dataDir,
    retentionMs: 7 * DAY_MS,
    log,
    registry,
    ...(rememberBatchesMs === undefined ? {} : { rememberBatchesMs }),
    ...(now === undefined ? {} : { now }),
  });
  const ingest = createIngest({ store: wrap(store), log, registry, ...rest });
  const handler = connectNodeAdapter({
    routes: (router) => ingest.routes(router),
    interceptors: [errors],
    readMaxBytes: 64 << 20,
  });
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  const url = `http://127.0.0.1:${address.port}`;
  const session = new Http2SessionManager(url);
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: '2',
    sessionManager: session,
    acceptCompression: [],
  });
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await ingest.close();
    session.abort();
    server.close();
    await store.close();
  };
  const closeOnce = (): Promise<void> => (closing ??= close());
  const client = createClient(IngestService, transport);
  return { store, ingest, registry, client, url, close: closeOnce, [Symbol.asyncDispose]: closeOnce };
}

/** The value of one counter or gauge, 0 when it has never been set. */
export async function metric(registry: Registry, name: string, labels = ''): Promise<number> {
  const line = (await registry.metrics()).split('\n').find((text) => text.startsWith(`${name}${labels} `));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
}
