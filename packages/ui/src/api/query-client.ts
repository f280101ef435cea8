import { createClient, type Client, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { QueryService } from '@fleetflame/proto/query/v1/query';

export type QueryClient = Client<typeof QueryService>;

/** Talks to the server that the page came from. */
export function createQueryClient(transport: Transport = sameOrigin()): QueryClient {
  return createClient(QueryService, transport);
}

export function sameOrigin(): Transport {
  return createConnectTransport({ baseUrl: window.location.origin, useBinaryFormat: true });
}
