/**
 * A thread of its own that asks /healthz every 50 ms, so that what the load costs its sender is not measured. The kernel
 * says of the thread that answers how long it ran and how long it waited for a CPU meanwhile: on a busy machine the first
 * is what the product is to blame for.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { parentPort, Worker, workerData } from 'node:worker_threads';

const EVERY_MS = 50;

export interface Health {
  /** The longest wait for an answer. */
  readonly worstMs: number;
  /** While an answer was waited for, at most: how long the thread that answers ran, and waited for a CPU. */
  readonly ranMs: number;
  readonly delayedMs: number;
  readonly answers: number;
  readonly failures: number;
}

export interface HealthWatch {
  /** Resolves with what was since the last call. */
  take(): Promise<Health>;
  close(): Promise<void>;
}

export function watchHealth(url: string, pid: number): HealthWatch {
  const worker = new Worker(new URL(import.meta.url), { workerData: { url, pid } });
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

/** Of the first thread of a process, so far, ms: it ran, it waited for a CPU. */
function scheduled(pid: number): [ran: number, delayed: number] {
  const [ran = 0, delayed = 0] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8')
    .split(' ')
    .map(Number);
  return [ran / 1e6, delayed / 1e6];
}

if (parentPort !== null) {
  const port = parentPort;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- given above
  const { url, pid } = workerData as { readonly url: string; readonly pid: number };
  const nothing: Health = { worstMs: 0, ranMs: 0, delayedMs: 0, answers: 0, failures: 0 };
  let result = { ...nothing };
  const underway = new Set<number>();
  const ask = (): void => {
    const began = performance.now();
    const [ranBefore, delayedBefore] = scheduled(pid);
    underway.add(began);
    // A connection each, as orchestrators ask.
    const asked = request(`${url}/healthz`, { agent: false }, (response) => {
      response.resume();
      response.once('end', () => {
        underway.delete(began);
        const [ran, delayed] = scheduled(pid);
        const isHealthy = response.statusCode === 200;
        result = {
          worstMs: Math.max(result.worstMs, performance.now() - began),
          ranMs: Math.max(result.ranMs, ran - ranBefore),
          delayedMs: Math.max(result.delayedMs, delayed - delayedBefore),
          answers: result.answers + Number(isHealthy),
          failures: result.failures + Number(!isHealthy),
        };
      });
    });
    asked.once('error', () => {
      underway.delete(began);
      result = { ...result, failures: result.failures + 1 };
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
      result = { ...nothing };
    }, 10);
  });
}
