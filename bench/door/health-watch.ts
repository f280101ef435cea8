/** A thread of its own that asks /healthz every 50 ms, so that what the load costs its sender is not measured. */
import { request } from 'node:http';
import { parentPort, Worker, workerData } from 'node:worker_threads';

const EVERY_MS = 50;

export interface HealthWatch {
  /** Resolves with the longest wait in ms, and how many answers there were, since the last call. */
  take(): Promise<{ readonly worstMs: number; readonly answers: number; readonly failures: number }>;
  close(): Promise<void>;
}

export function watchHealth(url: string): HealthWatch {
  const worker = new Worker(new URL(import.meta.url), { workerData: { url } });
  return {
    take: () =>
      new Promise((resolve) => {
        worker.once('message', resolve);
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
        worker.postMessage('take');
      }),
    close: async () => void (await worker.terminate()),
  };
}

if (parentPort !== null) {
  const port = parentPort;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- given above
  const { url } = workerData as { readonly url: string };
  let result = { worstMs: 0, answers: 0, failures: 0 };
  const underway = new Set<number>();
  const ask = (): void => {
    const began = performance.now();
    underway.add(began);
    // A connection each, as orchestrators ask.
    const asked = request(`${url}/healthz`, { agent: false }, (response) => {
      response.resume();
      response.once('end', () => {
        underway.delete(began);
        result.worstMs = Math.max(result.worstMs, performance.now() - began);
        if (response.statusCode === 200) result.answers++;
        else result.failures++;
      });
    });
    asked.once('error', () => {
      underway.delete(began);
      result.failures++;
    });
    asked.end();
  };
  setInterval(ask, EVERY_MS);
  port.on('message', () => {
    // One that still waits counts as well.
    const wait = setInterval(() => {
      if (underway.size > 1) return;
      clearInterval(wait);
      port.postMessage(result);
      result = { worstMs: 0, answers: 0, failures: 0 };
    }, 10);
  });
}
