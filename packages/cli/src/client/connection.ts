import { Code, ConnectError, createClient, type Client, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { FleetflameError } from '@fleetflame/profile';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import { QueryService } from '@fleetflame/proto/query/v1/query';
import { BlockService } from '@fleetflame/proto/store/v1/blocks';
import { JobService } from '@fleetflame/proto/store/v1/jobs';
import { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import { messageOf } from './message.ts';

/** Longest wait for one answer: a query over a month on a cold cache stays well below. */
const CALL_TIMEOUT_MS = 120_000;

export interface Clients {
  readonly query: Client<typeof QueryService>;
  readonly ingest: Client<typeof IngestService>;
}

/** Clients of a server. Throws FleetflameError invalid_input when `server` is not an http(s) URL. */
export function connect(server: string): Clients {
  const transport = transportTo(server);
  return { query: createClient(QueryService, transport), ingest: createClient(IngestService, transport) };
}

/** The client that tells of symbols and takes them; throws as `connect`. */
export function connectSymbols(server: string): Client<typeof SymbolService> {
  return createClient(SymbolService, transportTo(server));
}

/** The client that looks at a store's blocks; throws as `connect`. */
export function connectBlocks(server: string): Client<typeof BlockService> {
  return createClient(BlockService, transportTo(server));
}

/** The client that looks at a store's background work, and asks for some; throws as `connect`. */
export function connectJobs(server: string): Client<typeof JobService> {
  return createClient(JobService, transportTo(server));
}

function transportTo(server: string): Transport {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new FleetflameError('invalid_input', `--server: "${server}" is not an http:// or https:// URL`);
  }
  return createConnectTransport({
    baseUrl: url.href.replace(/\/$/, ''),
    httpVersion: '1.1',
    // A file as JSON is a third larger and ten times as long to read, and servers take less of it.
    useBinaryFormat: true,
    defaultTimeoutMs: CALL_TIMEOUT_MS,
  });
}

/** A sentence for people from anything that a command can throw. */
export function explain(error: unknown, server: string | undefined): string {
  if (error instanceof ConnectError) {
    if (error.code === Code.Unavailable && server !== undefined) {
      return `no answer from ${server}: ${error.rawMessage}. Is it running? ./fleetflame up starts one; --server names another.`;
    }
    return error.rawMessage;
  }
  return messageOf(error);
}
