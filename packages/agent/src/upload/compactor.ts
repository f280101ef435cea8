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
      return await new Promise<CompactResult>((resolve) => {
        worker.once('message', resolve);
        // It may run out of memory on a huge binary: that is this binary's problem, not the agent's.
        worker.once('error', (error) => resolve({ problem: String(error) }));
        worker.once('exit', () => resolve({ problem: 'the thread ended' }));
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
        worker.postMessage(request);
      });
    } finally {
      worker.removeAllListeners();
      worker.on('error', () => undefined);
      worker.once('exit', () => {
        if (this.#worker === worker) this.#worker = undefined;
      });
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
    return worker;
  }
}
