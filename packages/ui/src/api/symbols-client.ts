import { createClient, type Client, type Transport } from '@connectrpc/connect';
import { SymbolService } from '@fleetflame/proto/symbols/v1/symbols';
import { sameOrigin } from './query-client.ts';

export type SymbolsClient = Client<typeof SymbolService>;

/** What the server knows of binaries. */
export function createSymbolsClient(transport: Transport = sameOrigin()): SymbolsClient {
  return createClient(SymbolService, transport);
}
