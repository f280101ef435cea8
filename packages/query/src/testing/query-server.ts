import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
  type Client,
  type Interceptor,
} from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node';
import { FleetflameError, type Block } from '@fleetflame/profile';
import { QueryService } from '@fleetflame/proto/query/v1/query';
import { Store, type Snapshot, type SnapshotRange, type StoreOptions } from '@fleetflame/store';
import { encodeSymbolTable, NO_SOURCE, SymbolStore, type SymbolColumns } from '@fleetflame/symbols';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createQuery } from '../query.ts';
import type { QueryLimits } from '../limits.ts';

/** Ten years: the test blocks are from 2023. */
const RETENTION_MS = 10 * 365 * 86_400_000;

/** Makes the code of a FleetflameError visible to a client, as far as these tests look at it. */
const errorCodes: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    throw new ConnectError(`${error.code}: ${error.message}`, Code.InvalidArgument);
  }
};

/** A real store in a temporary directory, and a query service over it on a loopback port. */
export class QueryServer {
  readonly url: string;
  readonly client: Client<typeof QueryService>;
  readonly store: Store;
  readonly symbols: SymbolStore;
  readonly registry: Registry;
  readonly dataDir: string;
  readonly close: () => Promise<void>;
  /** Waited for before the service gets a snapshot. */
  beforeSnapshot: (() => Promise<void>) | undefined;
  #seq = 0n;

  private constructor(parts: {
    readonly url: string;
    readonly store: Store;
    readonly symbols: SymbolStore;
    readonly registry: Registry;
    readonly dataDir: string;
    readonly close: () => Promise<void>;
  }) {
    this.url = parts.url;
    this.store = parts.store;
    this.symbols = parts.symbols;
    this.registry = parts.registry;
    this.dataDir = parts.dataDir;
    this.close = parts.close;
    const transport = createConnectTransport({
      baseUrl: parts.url,
      httpVersion: '1.1',
      acceptCompression: [],
    });
    this.client = createClient(QueryService, transport);
  }

  static async start(
    limits: Partial<QueryLimits> = {},
    storeOptions: Partial<StoreOptions> = {},
  ): Promise<QueryServer> {
    const dataDir = await mkdtemp(join(tmpdir(), 'fleetflame-query-'));
    const log = pino({ level: 'silent' });
    const registry = new Registry();
    const store = await Store.open({ dataDir, retentionMs: RETENTION_MS, log, registry, ...storeOptions });
    const symbols = new SymbolStore({ storage: store.objects, log, registry });
    const watched = {
      objectsConfig: store.objectsConfig,
      snapshot: async (range: SnapshotRange): Promise<Snapshot> => {
        await started?.beforeSnapshot?.();
        return await store.snapshot(range);
      },
      quarantine: store.quarantine.bind(store),
      noteReader: store.noteReader.bind(store),
    };
    let started: QueryServer | undefined;
    const query = createQuery({ store: watched, symbols, log, registry, limits });
    const server = createServer(
      connectNodeAdapter({ routes: (router) => query.routes(router), interceptors: [errorCodes] }),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    const close = async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await query.close();
      await store.close();
      await rm(dataDir, { recursive: true });
    };
    started = new QueryServer({
      url: `http://127.0.0.1:${address.port}`,
      store,
      symbols,
      registry,
      dataDir,
      close,
    });
    return started;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Stores each block as a segment of its own. */
  async commit(...blocks: readonly Block[]): Promise<void> {
    for (const block of blocks) {
      const result = await this.store.commitSegment({
        block,
        batches: [{ agentId: 'test', seq: this.#seq++ }],
      });
      if (!result.committed) throw new Error('the segment was refused as a duplicate');
    }
  }

  /** Stores symbols of a binary: names of functions by first address, each 16 bytes long; `change` is made to the table. */
  async addSymbols(
    buildId: string,
    functions: Readonly<Record<string, number>>,
    change: Partial<SymbolColumns> = {},
  ): Promise<void> {
    const sorted = Object.entries(functions).sort(([, a], [, b]) => a - b);
    const names = sorted.map(([name]) => name);
    const table = encodeSymbolTable({
      base: 0,
      starts: Uint32Array.from(sorted, ([, address]) => address),
      lengths: Uint32Array.from(sorted, () => 16),
      functions: Uint32Array.from(sorted, (_, i) => i),
      nameOffsets: Uint32Array.from([0, ...names.map((_, i) => names.slice(0, i + 1).join('').length)]),
      systemNameOffsets: new Uint32Array(names.length + 1),
      files: new Uint32Array(names.length),
      lines: new Uint32Array(names.length),
      fileOffsets: new Uint32Array(1),
      strings: new TextEncoder().encode(names.join('')),
      source: NO_SOURCE,
      ...change,
    });
    await this.symbols.add(
      { buildId, fileName: 'app', uploadBytes: 1 },
      {
        table,
        symbols: names.length,
        source: 'symtab',
        demangled: 0,
        demangleFailed: 0,
        lineRows: 0,
        inlines: 0,
        missingSupplement: undefined,
        problem: '',
        warnings: [],
      },
    );
  }

  /** Asks a service over the same store that has answered nothing yet. */
  async fresh<T>(ask: (client: Client<typeof QueryService>) => Promise<T>): Promise<T> {
    const { store, symbols } = this;
    const query = createQuery({ store, symbols, log: pino({ level: 'silent' }), registry: new Registry() });
    try {
      return await ask(
        createClient(
          QueryService,
          createRouterTransport((router) => query.routes(router)),
        ),
      );
    } finally {
      await query.close();
    }
  }

  /** A JSON request without any client library, as curl would make it. */
  async json(rpc: string, request: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
    const response = await fetch(`${this.url}/fleetflame.query.v1.QueryService/${rpc}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
    return { status: response.status, body: await response.json() };
  }
}
