/** SymbolService on a real socket, over a real directory. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient, type Client, type Interceptor } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node';
import { bufferSource, compactElf, ElfFile } from '@fleetflame/elf';
import { buildProgram, PROGRAMS } from '@fleetflame/elf/testing';
import { ERROR_CODES, FleetflameError } from '@fleetflame/profile';
import {
  SymbolQuality,
  SymbolService,
  type UploadRequestSchema,
  type UploadResponse,
} from '@fleetflame/proto/symbols/v1/symbols';
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
    throw new ConnectError(error.message, STATUS.get(ERROR_CODES[error.code].status) ?? Code.Internal);
  }
};

export interface SymbolServer {
  readonly client: Client<typeof SymbolService>;
  readonly symbols: Symbols;
  readonly registry: Registry;
  readonly folder: string;
  /** Closes it but leaves the folder, for another server. */
  readonly stop: () => Promise<void>;
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
  const stop = async (): Promise<void> => {
    await symbols.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    client: createClient(SymbolService, transport),
    symbols,
    registry,
    folder,
    advance: (ms) => {
      clockMs += ms;
    },
    stop,
    async close() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface TestUpload {
  readonly buildId: string;
  readonly fileName: string;
  readonly bytes: Uint8Array;
  readonly quality?: SymbolQuality;
  readonly supplementary?: boolean;
  readonly replace?: boolean;
}

/** The message that sends `length` bytes from `offset`. */
export function partOf(
  file: TestUpload,
  offset: number,
  length: number,
  uploader = 'a'.repeat(16),
): MessageInitShape<typeof UploadRequestSchema> {
  const { bytes, ...head } = file;
  return {
    ...head,
    uploader,
    content: contentOf(file),
    totalBytes: BigInt(bytes.length),
    offset: BigInt(offset),
    part: bytes.subarray(offset, offset + length),
  };
}

export function contentOf({ bytes }: TestUpload): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** Sends a file in parts of `partBytes`; gives the last answer. */
export async function uploadFile(
  client: Client<typeof SymbolService>,
  file: TestUpload,
  partBytes = 256 * 1024,
  uploader?: string,
): Promise<UploadResponse> {
  let offset = 0;
  for (;;) {
    const answer = await client.upload(partOf(file, offset, partBytes, uploader));
    if (answer.complete || answer.busyMs > 0) return answer;
    offset = Number(answer.nextOffset);
  }
}

/** What `Wanted` asks for of these build ids, all offered with one quality. */
export async function wantedOf(
  client: Client<typeof SymbolService>,
  buildIds: readonly string[],
  quality: SymbolQuality = SymbolQuality.SYMTAB,
  sender: { readonly uploader?: string; readonly content?: string } = {},
): Promise<readonly string[]> {
  const { uploader = '', content = '' } = sender;
  const offers = buildIds.map((buildId) => ({ buildId, quality, bytes: 1000n, content }));
  return (await client.wanted({ offers, uploader })).buildIds;
}

/** A test program as an agent uploads it. */
export function programUpload(program: keyof typeof PROGRAMS): TestUpload {
  const bytes = compactElf(bufferSource(readFileSync(buildProgram(PROGRAMS[program]))));
  const buildId = ElfFile.parse(bufferSource(bytes)).identity ?? '';
  return { buildId, fileName: 'shop', bytes, quality: SymbolQuality.SYMTAB };
}

/** The value of a counter or gauge with these labels; 0 when there is none. */
export async function counterOf(
  server: SymbolServer,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<number> {
  const metric = await server.registry.getSingleMetric(name)?.get();
  const found = metric?.values.find((one) =>
    Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  );
  return found?.value ?? 0;
}
