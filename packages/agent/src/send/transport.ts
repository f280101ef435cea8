import type { Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';

/** An answer is a few bytes, or a list of 4096 build ids. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;
/** A 64 KiB window, the default, makes a round trip of every 64 KiB. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** Connect over HTTP/2 (h2c for http: URLs). Nothing is compressed again: blocks are zstd inside. */
export function createTransport(serverUrl: string): Transport {
  return createConnectTransport({
    baseUrl: serverUrl,
    httpVersion: '2',
    acceptCompression: [],
    readMaxBytes: MAX_RESPONSE_BYTES,
    nodeOptions: { settings: { initialWindowSize: WINDOW_BYTES } },
  });
}
