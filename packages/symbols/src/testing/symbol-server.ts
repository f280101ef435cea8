/** SymbolService on a real socket, over a real directory. */
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient, type Client, type Interceptor } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node';
import { ERROR_CODES, FleetflameError } from '@fleetflame/profile';
import { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createSymbols, type Symbols, type SymbolsOptions } from '../create-symbols.ts';
import { directoryStorage } from './directory-storage.ts';

const STATUS: ReadonlyMap<string, Code> = new Map([
  ['invalid_argument', Code.InvalidArgument],
  ['out_of_range', Code.OutOfRange],
  ['resource_exhausted', Code.ResourceExhausted],
  ['unavailable', Code.Unavailable],
  ['not_found', Code.NotFound],
  ['canceled', Code.Canceled],
]);

const errors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (!(error instanceof FleetflameError)) throw error;
    throw new ConnectError(error.message, STATUS.get(ERROR_CODES[error.code]) ?? Code.Internal);
  }
};

export interface SymbolServer {
  readonly client: Client<typeof SymbolService>;
  readonly symbols: Symbols;
  readonly registry: Registry;
  readonly folder: string;
  /** Moves the server's clock, Unix ms. */
  readonly advance: (ms: number) => void;
  readonly close: () => Promise<void>;
}

export async function startSymbolServer(
  options: Partial<SymbolsOptions> & { readonly folder?: string } = {},
): Promise<SymbolServer> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'fleetflame-symbols-test-')));
  let clockMs = 1_700_000_000_000;
  const registry = new Registry();
  const symbols = createSymbols({
    storage: directoryStorage(folder),
    log: pino({ level: 'silent' }),
    registry,
    now: () => clockMs,
    ...options,
  });
  const server = createServer(connectNodeAdapter({ routes: symbols.routes, interceptors: [errors] }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const transport = createConnectTransport({
    httpVersion: '1.1',
    baseUrl: `http://127.0.0.1:${address.port}`,
  });
  return {
    client: createClient(SymbolService, transport),
    symbols,
    registry,
    folder,
    advance: (ms) => {
      clockMs += ms;
    },
    async close() {
      await symbols.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Sends a file in parts of `partBytes`; gives the last answer. */
export async function uploadFile(
  client: Client<typeof SymbolService>,
  file: { readonly buildId: string; readonly fileName: string; readonly bytes: Uint8Array },
  partBytes = 256 * 1024,
): Promise<{ readonly symbols: number; readonly complete: boolean }> {
  let answer = { symbols: 0, complete: false };
  for (let offset = 0; offset < file.bytes.length && !answer.complete; offset += partBytes) {
    const { symbols, complete } = await client.upload({
      buildId: file.buildId,
      fileName: file.fileName,
      totalBytes: BigInt(file.bytes.length),
      offset: BigInt(offset),
      part: file.bytes.subarray(offset, offset + partBytes),
    });
    answer = { symbols: Number(symbols), complete };
  }
  return answer;
}
