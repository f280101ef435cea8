import { Worker } from 'node:worker_threads';
import type { CompactRequest, CompactResult } from './compact-worker.ts';

/** An idle thread costs some 10 MB: it ends after this. */
const IDLE_MS = 15_000;

/** Runs compact-worker.ts when there is something to do. One request at a time. */
export class Compactor {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  async compact(request: CompactRequest): Promise<CompactResult> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    try {
      return await answerOf(worker, request);
    } finally {
      this.#idle = setTimeout(() => void this.close(), IDLE_MS);
      this.#idle.unref();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./compact-worker.ts', import.meta.url), {
      name: 'symbols',
      resourceLimits: { maxOldGenerationSizeMb: 64 },
    });
    worker.unref();
    // An error without a request under way has nobody to tell; the thread is gone all the same.
    worker.on('error', () => undefined);
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    return worker;
  }
}

/** Takes only its own listeners off again: removeAllListeners would cut the worker's own wiring. */
async function answerOf(worker: Worker, request: CompactRequest): Promise<CompactResult> {
  return await new Promise<CompactResult>((resolve) => {
    const settle = (result: CompactResult): void => {
      worker.off('message', settle).off('error', onError).off('exit', onExit);
      resolve(result);
    };
    // It may run out of memory on a huge binary: that is this binary's problem, not the agent's.
    const onError = (error: unknown): void => settle({ problem: String(error) });
    const onExit = (): void => settle({ problem: 'the thread ended' });
    worker.on('message', settle).on('error', onError).on('exit', onExit);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(request);
  });
}
