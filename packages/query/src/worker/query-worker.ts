/** The worker thread's main: questions in, answers out, several at a time in turns. */
import { parentPort, workerData } from 'node:worker_threads';
import { StoreReader } from '@fleetflame/store/reader';
import { decodeSharedColumns, type SymbolColumns } from '@fleetflame/symbols/tables';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { CacheShare, type CacheName } from '../cache-share.ts';
import { QueryEngine } from '../engine.ts';
import { QueryMetrics } from '../query-metrics.ts';
import { CallHost, HostRequests } from './call-host.ts';
import { errorOf, failureOf } from './call-failure.ts';
import { CounterRelay } from './counter-relay.ts';
import type { FromWorker, ToWorker, Work, WorkerSettings } from './messages.ts';

const port = parentPort;
if (port === null) throw new Error('query-worker.ts is the main file of a worker thread');

// Its own pool starts it with these.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const settings = workerData as WorkerSettings;
const { limits, cells, thread, objects, logLevel } = settings;

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

const registry = new Registry();
const relay = new CounterRelay(registry);
const reader = await StoreReader.open(objects, (event) => send({ kind: 'store', event }));
const shares = (name: CacheName): CacheShare =>
  new CacheShare(name, limits, cells, thread, () => send({ kind: 'pressed' }));
const engine = new QueryEngine({
  store: reader,
  limits,
  shares,
  metrics: new QueryMetrics(registry, cells),
  log: pino(
    { level: logLevel, base: null, timestamp: false },
    { write: (line) => send({ kind: 'log', line }) },
  ),
});
const requests = new HostRequests(send);
const running = new Map<number, AbortController>();

async function run(work: Work, call: number, signal: AbortSignal): Promise<Uint8Array | SymbolColumns> {
  if (work.kind === 'symbols') return await decodeSharedColumns(await reader.objects.get(work.key));
  return await engine.answer(work.question, new CallHost(requests, call), signal);
}

async function serve(call: number, work: Work): Promise<void> {
  const controller = new AbortController();
  running.set(call, controller);
  let message: FromWorker;
  try {
    const value = await run(work, call, controller.signal);
    message = { kind: 'answered', call, value, counts: await relay.take() };
  } catch (error) {
    message = { kind: 'failed', call, failure: failureOf(error), counts: await relay.take() };
  }
  running.delete(call);
  send(message, message.kind === 'answered' ? buffersOf(message.value) : []);
}

/** What is handed over: an answer that has a buffer of its own. */
function buffersOf(value: Uint8Array | SymbolColumns): ArrayBuffer[] {
  if (!(value instanceof Uint8Array)) return [];
  const { buffer, byteLength } = value;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

port.on('message', (message: ToWorker) => {
  if (message.kind === 'ask') void serve(message.call, message.work);
  else if (message.kind === 'cancel') running.get(message.call)?.abort(errorOf(message.failure));
  else if (message.kind === 'trim') engine.trim();
  else requests.settle(message);
});
send({ kind: 'ready' });
