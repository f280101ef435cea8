/**
 * One thread that works on queries, as the thread that answers sees it: calls in, promises out. What a call has taken
 * (a snapshot, parts of budgets) is given back with its end, also when the thread dies, which its callers are told.
 */
import { Worker } from 'node:worker_threads';
import { FleetflameError } from '@fleetflame/profile';
import type { Snapshot, SnapshotRange, BlockEntry, ReaderEvent } from '@fleetflame/store';
import type { SymbolColumns, SymbolTable } from '@fleetflame/symbols';
import type { Logger } from 'pino';
import type { LoadedSymbols, Shared } from '../query-host.ts';
import type { Question } from '../engine.ts';
import { errorOf, failureOf } from './call-failure.ts';
import type { CounterChange } from './counter-relay.ts';
import type {
  FromWorker,
  HostAnswers,
  HostRequest,
  SentSymbols,
  ToWorker,
  Work,
  WorkerSettings,
} from './messages.ts';

/** What the thread that answers does for threads that work. */
export interface ThreadOwner {
  snapshot(range: SnapshotRange): Promise<Snapshot>;
  quarantine(entry: BlockEntry, reason: string): Promise<void>;
  take(shared: Shared, amount: number): Promise<() => void>;
  symbols(
    buildIds: readonly string[],
  ): Promise<readonly (LoadedSymbols & { readonly table: SymbolTable | undefined })[]>;
  noteReader(event: ReaderEvent): void;
  counted(changes: readonly CounterChange[]): void;
  /** The caches of this thread need what others hold. */
  pressed(thread: QueryThread): void;
  /** It ended, and was not stopped. */
  died(thread: QueryThread, error: Error): void;
  readonly log: Logger;
}

/**
 * Node lets a heap that is full grow by 16 MiB while it ends the thread; what one collection of the young generation
 * moves must fit, a third of this, or the process ends instead.
 */
const YOUNG_MIB = 24;

interface Call {
  readonly resolve: (value: Uint8Array | SymbolColumns) => void;
  readonly reject: (error: Error) => void;
  /** What it has taken, by the number of the request. */
  readonly held: Map<number, () => void>;
}

export class QueryThread {
  readonly number: number;
  readonly #owner: ThreadOwner;
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  readonly #loaded = Promise.withResolvers<void>();
  #next = 0;
  #ready = false;
  #ended = false;

  constructor(settings: WorkerSettings, owner: ThreadOwner) {
    this.number = settings.thread;
    this.#owner = owner;
    this.#worker = new Worker(new URL('./query-worker.ts', import.meta.url), {
      name: 'query',
      workerData: settings,
      resourceLimits: {
        maxYoungGenerationSizeMb: YOUNG_MIB,
        maxOldGenerationSizeMb: settings.limits.workerHeapMib,
      },
    });
    // Who waits for an answer keeps the process; a thread without work does not.
    this.#worker.unref();
    this.#worker.on('message', (message: FromWorker) => this.#hear(message));
    this.#worker.on('error', (error: unknown) =>
      this.#die(error instanceof Error ? error : new Error(String(error))),
    );
    this.#worker.on('exit', (code) => this.#die(new Error(`it ended with code ${code}`)));
  }

  /** Its modules are loaded. */
  get isReady(): boolean {
    return this.#ready;
  }

  /** Resolves when its modules are loaded, or when it ended. */
  async loaded(): Promise<void> {
    this.#worker.ref();
    await this.#loaded.promise;
    if (this.running === 0) this.#worker.unref();
  }

  /** Calls that it works on. */
  get running(): number {
    return this.#calls.size;
  }

  /** The answer's bytes. Throws FleetflameError; unavailable when the thread ends meanwhile. */
  async answer(question: Question, signal: AbortSignal): Promise<Uint8Array> {
    const value = await this.#call({ kind: 'question', question }, signal);
    if (value instanceof Uint8Array) return value;
    throw new Error('the worker answered another question');
  }

  /** The columns of a symbol table, in memory that all threads share. Throws as reading an object does. */
  async decodeSymbols(key: string): Promise<SymbolColumns> {
    const value = await this.#call({ kind: 'symbols', key }, undefined);
    if (!(value instanceof Uint8Array)) return value;
    throw new Error('the worker answered another question');
  }

  /** Other threads need what its caches hold beyond its part. */
  trim(): void {
    this.#send({ kind: 'trim' });
  }

  async stop(): Promise<void> {
    this.#end(ended('it was stopped'));
    await this.#worker.terminate();
  }

  async #call(work: Work, signal: AbortSignal | undefined): Promise<Uint8Array | SymbolColumns> {
    const call = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | SymbolColumns>();
    const cancel = (): void => {
      this.#send({ kind: 'cancel', call, failure: failureOf(reasonOf(signal)) });
    };
    if (this.#ended) throw ended('before it began');
    this.#calls.set(call, { resolve, reject, held: new Map() });
    this.#worker.ref();
    this.#send({ kind: 'ask', call, work });
    signal?.addEventListener('abort', cancel);
    if (signal?.aborted === true) cancel();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', cancel);
      if (this.#calls.size === 0) this.#worker.unref();
    }
  }

  #hear(message: FromWorker): void {
    const owner = this.#owner;
    switch (message.kind) {
      case 'ready':
        this.#ready = true;
        this.#loaded.resolve();
        return;
      case 'answered':
        owner.counted(message.counts);
        this.#settle(message.call)?.resolve(message.value);
        return;
      case 'failed':
        owner.counted(message.counts);
        this.#settle(message.call)?.reject(errorOf(message.failure));
        return;
      case 'request':
        void this.#serve(message.request, message.call, message.wanted);
        return;
      case 'giveBack': {
        const held = this.#calls.get(message.call)?.held;
        held?.get(message.request)?.();
        held?.delete(message.request);
        return;
      }
      case 'pressed':
        owner.pressed(this);
        return;
      case 'store':
        owner.noteReader(message.event);
        return;
      case 'log':
        writeLine(owner.log, message.line);
        return;
    }
  }

  async #serve(request: number, call: number, wanted: HostRequest): Promise<void> {
    try {
      const { value, giveBack } = await this.#grant(wanted);
      const held = this.#calls.get(call)?.held;
      if (held === undefined) {
        // The call ended while it waited.
        giveBack?.();
        return;
      }
      if (giveBack !== undefined) held.set(request, giveBack);
      this.#send({ kind: 'granted', request, value });
    } catch (error) {
      this.#send({ kind: 'refused', request, failure: failureOf(error) });
    }
  }

  async #grant(
    wanted: HostRequest,
  ): Promise<{ readonly value: HostAnswers[HostRequest['kind']]; readonly giveBack?: () => void }> {
    const owner = this.#owner;
    if (wanted.kind === 'snapshot') {
      const snapshot = await owner.snapshot(wanted.range);
      const { blocks, quarantined, gaps, tiers, newestSampleMs } = snapshot;
      const value = { blocks, quarantined, gaps, tiers, newestSampleMs };
      return { value, giveBack: () => snapshot.release() };
    }
    if (wanted.kind === 'take')
      return { value: undefined, giveBack: await owner.take(wanted.shared, wanted.amount) };
    if (wanted.kind === 'symbols') return { value: await this.#symbols(wanted.buildIds, wanted.known) };
    await owner.quarantine(wanted.entry, wanted.reason);
    return { value: undefined };
  }

  async #symbols(buildIds: readonly string[], known: ReadonlySet<string>): Promise<SentSymbols[]> {
    const loaded = await this.#owner.symbols(buildIds);
    return loaded.map(({ table, ...rest }) => ({
      ...rest,
      table: table !== undefined && known.has(rest.version) ? 'known' : table?.columns,
    }));
  }

  #settle(call: number): Call | undefined {
    const settled = this.#calls.get(call);
    this.#calls.delete(call);
    for (const giveBack of settled?.held.values() ?? []) giveBack();
    return settled;
  }

  #send(message: ToWorker): void {
    if (!this.#ended) this.#worker.postMessage(message, []);
  }

  #die(error: Error): void {
    if (this.#ended) return;
    const isHeap = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    const why = isHeap ? 'it needed more memory than limits.query.workerHeapMib' : error.message;
    this.#end(ended(why));
    void this.#worker.terminate();
    this.#owner.died(this, error);
  }

  #end(error: FleetflameError): void {
    this.#ended = true;
    this.#loaded.resolve();
    this.#worker.removeAllListeners();
    // What is left of it may still fail, and must not end the process.
    this.#worker.on('error', () => undefined);
    for (const call of this.#calls.keys()) this.#settle(call)?.reject(error);
  }
}

function reasonOf(signal: AbortSignal | undefined): unknown {
  const reason: unknown = signal?.reason;
  return reason instanceof FleetflameError
    ? reason
    : new FleetflameError('cancelled', 'The caller no longer waits for the answer.');
}

function ended(why: string): FleetflameError {
  return new FleetflameError(
    'unavailable',
    `The query was not answered; ask again, for a shorter time range or by a narrower selector if it happens again. The thread that worked on it ended: ${why}.`,
  );
}

/** A line that a worker's logger wrote, as one of this process'. */
function writeLine(log: Logger, line: string): void {
  // What pino writes.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { level, msg, ...fields } = JSON.parse(line) as {
    readonly level: number;
    readonly msg: string;
    readonly [field: string]: unknown;
  };
  if (level >= 50) log.error(fields, msg);
  else if (level >= 40) log.warn(fields, msg);
  else log.info(fields, msg);
}
