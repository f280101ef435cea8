/**
 * The page with made-up data, for working on it without agent and store:
 *
 *   node dev/serve.ts [--port 7272]
 *
 * Vite in front (with hot reload), QueryService over a generated fleet behind it, on one port.
 */
import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { createServer as createVite } from 'vite';
import type { Block } from '@fleetflame/profile';
import { memoryQuery } from '../src/testing/memory-query.ts';
import { sampleFleet } from '../src/testing/sample-fleet.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '7272' } } });
const started = Date.now();
const past = sampleFleet({ endMs: started, minutes: 45 });

function blocks(): readonly Block[] {
  const minutes = (Date.now() - started) / 60_000;
  return minutes < 0.2 ? [past] : [past, sampleFleet({ endMs: Date.now(), minutes, seed: 8 })];
}

const vite = await createVite({ server: { middlewareMode: true, hmr: false }, appType: 'spa', root: '.' });
const rpc = connectNodeAdapter({
  routes: memoryQuery(blocks),
  fallback(request, response) {
    if (request instanceof IncomingMessage && response instanceof ServerResponse) {
      vite.middlewares(request, response);
    }
  },
});
createServer(rpc).listen(Number(values.port), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${values.port}\n`);
});
