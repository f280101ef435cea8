/**
 * One thread that decodes, as the thread that answers sees it: calls in, promises out. A thread that died is
 * replaced with the next call; what it held is lost, which its senders are told, so that they send it again.
 */
import { Worker } from 'node:worker_threads';
import { FleetflameError } from '@fleetflame/profile';
import type {
  BatchInput,
  SealedBatches,
  TakenBatch,
  WorkerCall,
  WorkerFailure,
  WorkerReply,
  WorkerRequest,
  WorkerSettings,
} from './messages.ts';

/** An ordinary worker gave the batch up; the bytes come back for the one that takes heavy ones. */
export class TooHeavy extends Error {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super('the batch is too heavy for an ordinary worker');
    this.bytes = bytes;
  }
}

/** A refusal that a worker found; `reason` is for the counter. */
export class WorkerRefusal extends FleetflameError {
  readonly reason: WorkerFailure['reason'];
  readonly implausible: WorkerFailure['implausible'];

  constructor(code: FleetflameError['code'], { message, field, reason, implausible }: WorkerFailure) {
    super(code, message, field === undefined ? {} : { field });
    this.reason = reason;
    this.implausible = implausible;
  }
}

/**
 * Of a worker's JavaScript heap: batches are typed arrays outside of it, so a small young generation does. The
 * old one is for the odd file of millions of labels; who exceeds it ends the thread, not the process.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 24, maxOldGenerationSizeMb: 1024 };

interface Waiting {
  readonly resolve: (value: TakenBatch | SealedBatches) => void;
  readonly reject: (error: Error) => void;
}

export class IngestThread {
  readonly #settings: WorkerSettings;
  readonly #onDeath: (error: Error) => void;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 0;

  /** `onDeath` is told when a thread ended that was not stopped. */
  constructor(settings: WorkerSettings, onDeath: (error: Error) => void) {
    this.#settings = settings;
    this.#onDeath = onDeath;
  }

  async take(batch: number, input: BatchInput): Promise<TakenBatch> {
    const { buffer } = input.bytes;
    const value = await this.#call(
      { call: 'take', batch, input },
      buffer instanceof ArrayBuffer ? [buffer] : [],
    );
    if ('content' in value) return value;
    throw new Error('the worker answered another question');
  }

  async seal(batches: readonly number[]): Promise<SealedBatches> {
    const value = await this.#call({ call: 'seal', batches }, []);
    if ('points' in value) return value;
    throw new Error('the worker answered another question');
  }

  forget(batches: readonly number[]): void {
    this.#send({ forget: batches }, []);
  }

  /** Ends the thread, and gives its memory back; the next call starts another. */
  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.removeAllListeners();
    await worker?.terminate();
    this.#failAll(ended('it was stopped'));
  }

  #call(request: WorkerCall, transfer: ArrayBuffer[]): Promise<TakenBatch | SealedBatches> {
    const { promise, resolve, reject } = Promise.withResolvers<TakenBatch | SealedBatches>();
    const id = this.#next++;
    this.#worker ??= this.#start();
    this.#waiting.set(id, { resolve, reject });
    this.#send({ id, request }, transfer);
    return promise;
  }

  #send(request: WorkerRequest, transfer: ArrayBuffer[]): void {
    this.#worker?.postMessage(request, transfer);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./ingest-worker.ts', import.meta.url), {
      name: this.#settings.heavy ? 'ingest heavy' : 'ingest',
      workerData: this.#settings,
      resourceLimits: RESOURCE_LIMITS,
    });
    worker.on('message', (reply: WorkerReply) => this.#answer(reply));
    const died = (error: Error): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      worker.removeAllListeners();
      // What is left of it may still fail, and must not end the process.
      worker.on('error', () => undefined);
      void worker.terminate();
      this.#failAll(ended(error.message));
      this.#onDeath(error);
    };
    worker.on('error', (error: unknown) => died(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', (code) => died(new Error(`it ended with code ${code}`)));
    return worker;
  }

  #answer(reply: WorkerReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.ok) waiting?.resolve(reply.value);
    else waiting?.reject(errorOf(reply.failure));
  }

  #failAll(error: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}

function errorOf(failure: WorkerFailure): Error {
  const { code, heavy, bytes, message } = failure;
  if (heavy && bytes !== undefined) return new TooHeavy(bytes);
  return code === 'internal' ? new Error(message) : new WorkerRefusal(code, failure);
}

function ended(why: string): FleetflameError {
  return new FleetflameError(
    'unavailable',
    `The batch is not stored; send it again. The thread that decodes ended: ${why}`,
  );
}
