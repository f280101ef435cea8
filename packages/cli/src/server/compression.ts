import type { Compression } from '@connectrpc/connect/protocol';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';

const gzip = promisify(zlib.gzip);
const gunzip = promisify(zlib.gunzip);

/** gzip at level 1: at the built-in level 6 a flame graph takes four times as long for a tenth less. */
export const gzipFast: Compression = {
  name: 'gzip',
  compress: (bytes) => gzip(bytes, { level: 1 }),
  decompress: async (bytes, maxBytes) =>
    bytes.length === 0 ? new Uint8Array(0) : await gunzip(bytes, { maxOutputLength: maxBytes }),
};
