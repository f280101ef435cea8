/**
 * Merges and checks take seconds of CPU for large blocks; here they run where they block nobody. The thread
 * starts with the first task and ends when there has been nothing to do for a while, which gives
 * its memory back.
 */
import { Worker } from 'node:worker_threads';
import type { RecordObjectEvent } from '../objects/object-events.ts';
import type { StoreReplies, StoreTask, TaskMessage } from './store-task.ts';
import type { TaskFailure } from './task-failure.ts';

/** Longer than the minute between two rounds of level 1, so that a busy store keeps its thread. */
const IDLE_MS = 90_000;

const CLOSING: TaskFailure = {
  ok: false,
  code: 'cancelled',
  message: 'the store is closing',
  inputId: undefined,
};

export class TaskThread {
  readonly #name: string;
  readonly #record: RecordObjectEvent;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** `name` is for people who look at threads; `record` gets what the thread's object store did. */
  constructor(name: string, record: RecordObjectEvent) {
    this.#name = name;
    this.#record = record;
  }

  /** One after the other, in the order of the calls. */
  async run<Task extends StoreTask['task']>(
    request: Extract<StoreTask, { task: Task }>,
  ): Promise<StoreReplies[Task]> {
    const reply = this.#tail.then(() => this.#send(request));
    this.#tail = reply;
    // It answers what it was asked.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return (await reply) as StoreReplies[Task];
  }

  /** Ends a running task too: what it has written has no row and is swept. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#stop();
  }

  async #send(request: StoreTask): Promise<TaskMessage['reply']> {
    if (this.#closed) return CLOSING;
    clearTimeout(this.#idle);
    this.#worker ??= new Worker(new URL('./task-worker.ts', import.meta.url), { name: this.#name });
    const worker = this.#worker;
    const { reply, events } = await answer(worker, request);
    for (const event of events) this.#record(event);
    if (this.#closed) return CLOSING;
    if (reply.ok || reply.code !== 'internal') {
      this.#idle = setTimeout(() => void this.#stop(), IDLE_MS);
      this.#idle.unref();
    } else {
      // Its state is unknown: the next task gets a new one.
      await this.#stop();
    }
    return reply;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

function answer(worker: Worker, request: StoreTask): Promise<TaskMessage> {
  return new Promise((resolve) => {
    const done = (message: TaskMessage): void => {
      worker.off('message', done);
      worker.off('error', failed);
      worker.off('exit', exited);
      resolve(message);
    };
    const fail = (message: string): void =>
      done({ reply: { ok: false, code: 'internal', message, inputId: undefined }, events: [] });
    const failed = (error: unknown): void => fail(`the thread failed: ${String(error)}`);
    const exited = (): void => fail('the thread ended');
    worker.on('message', done);
    worker.on('error', failed);
    worker.on('exit', exited);
    worker.postMessage(request, []);
  });
}
