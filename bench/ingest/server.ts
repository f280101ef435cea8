/** The server under test, in a process of its own so that its CPU time is its own. Forked by run.ts. */
import { readFileSync } from 'node:fs';
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
if (process.argv[3] === 'maintained') store.startMaintenance();
const ingest = createIngest({ store, log, registry });
const handler = connectNodeAdapter({ routes: (router) => ingest.routes(router), readMaxBytes: 64 << 20 });
const server = createServer({ settings: { initialWindowSize: WINDOW_BYTES } }, handler);
server.on('session', (session) => session.setLocalWindowSize(4 * WINDOW_BYTES));
server.listen(0, '127.0.0.1', () => process.send?.(server.address()));

process.on('message', () => void answer());

async function answer(): Promise<void> {
  const { user, system } = process.cpuUsage();
  const [metrics, { levels, jobs }] = await Promise.all([registry.metrics(), store.status()]);
  const storedBytes = levels.reduce((sum, { bytes }) => sum + bytes, 0);
  const open = jobs.filter(({ kind }) => kind !== 'task');
  const openJobs = open.reduce((sum, { waiting, leased }) => sum + waiting + leased, 0);
  const cpuSeconds = (user + system) / 1e6;
  process.send?.({ cpuSeconds, peakBytes: peakBytes(), metrics, openJobs, storedBytes });
}

/** VmHWM: no sampling misses it. */
function peakBytes(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
}
