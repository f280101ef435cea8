/** The server under test, in a process of its own so that its CPU time is its own. Forked by run.ts. */
import { createServer } from 'node:http2';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { createIngest } from '@fleetflame/ingest';
import { Store } from '@fleetflame/store';
import { pino } from 'pino';
import { Registry } from 'prom-client';

const WINDOW_BYTES = 4 << 20;

const registry = new Registry();
const log = pino({ level: 'warn' }, pino.destination(2));
const store = await Store.open({
  dataDir: process.argv[2] ?? '',
  retentionMs: 7 * 86_400_000,
  log,
  registry,
});
const ingest = createIngest({ store, log, registry });
const handler = connectNodeAdapter({ routes: (router) => ingest.routes(router), readMaxBytes: 64 << 20 });
const server = createServer({ settings: { initialWindowSize: WINDOW_BYTES } }, handler);
server.on('session', (session) => session.setLocalWindowSize(4 * WINDOW_BYTES));
server.listen(0, '127.0.0.1', () => process.send?.(server.address()));

let peakBytes = 0;
setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
}, 50).unref();

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  void registry
    .metrics()
    .then((metrics) => process.send?.({ cpuSeconds: (user + system) / 1e6, peakBytes, metrics }));
});
