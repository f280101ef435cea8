/** The worker thread's main: requests in, replies out, one at a time in their order. */
import { parentPort, workerData } from 'node:worker_threads';
import { FleetflameError, giveBack } from '@fleetflame/profile';
import { BatchTaker } from './batch-taker.ts';
import type {
  SealedBatches,
  TakenBatch,
  WorkerCall,
  WorkerFailure,
  WorkerReply,
  WorkerRequest,
  WorkerSettings,
} from './messages.ts';
import { Refusals } from './refusals.ts';

const port = parentPort;
if (port === null) throw new Error('ingest-worker.ts is the main file of a worker thread');

// Its own pool starts it with these.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const settings = workerData as WorkerSettings;
const taker = new BatchTaker(settings);

function run(request: WorkerCall): TakenBatch | SealedBatches {
  return request.call === 'take' ? taker.take(request.batch, request.input) : taker.seal(request.batches);
}

function answer(id: number, request: WorkerCall): WorkerReply {
  try {
    return { id, ok: true, value: run(request) };
  } catch (error) {
    return { id, ok: false, failure: failureOf(error, request) };
  }
}

function failureOf(error: unknown, request: WorkerCall): WorkerFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof FleetflameError)) {
    return {
      code: 'internal',
      message,
      field: undefined,
      reason: undefined,
      implausible: undefined,
      heavy: false,
    };
  }
  const { code, field } = error;
  const isPush = request.call === 'take' && request.input.kind === 'pprof';
  const heavy = isPush && !settings.heavy && code === 'limit_exceeded';
  const why = Refusals.of(error);
  return { code, message, field, reason: why?.reason, implausible: why?.implausible, heavy };
}

port.on('message', (message: WorkerRequest) => {
  if ('forget' in message) {
    taker.forget(message.forget);
    return;
  }
  const { id, request } = message;
  let reply = answer(id, request);
  const transfer: ArrayBuffer[] = [];
  if (reply.ok && 'bytes' in reply.value) {
    const { buffer } = reply.value.bytes;
    if (buffer instanceof ArrayBuffer) transfer.push(buffer);
  }
  const isPush = request.call === 'take' && request.input.kind === 'pprof';
  const isHeavy = !reply.ok && reply.failure.heavy;
  // Nothing that was made of a pushed file refers to its bytes.
  if (isPush && !isHeavy) giveBack(request.input.bytes);
  // A heavy one that comes back takes its bytes along: they were handed over.
  if (!reply.ok && reply.failure.heavy && request.call === 'take') {
    const { bytes } = request.input;
    reply = { ...reply, failure: { ...reply.failure, bytes } };
    if (bytes.buffer instanceof ArrayBuffer) transfer.push(bytes.buffer);
  }
  port.postMessage(reply, transfer);
});
