/**
 * Converts binaries one at a time, each in a worker thread of its own: binaries are untrusted input, and a fresh
 * thread gives a bound on memory and on time and forgets everything when it ends. Starting it costs 100 ms, a
 * conversion a second.
 */
import { Worker } from 'node:worker_threads';
import { FleetflameError } from '@fleetflame/profile';
import { CONVERSION_MS, SYMBOL_LIMITS } from '../limits.ts';
import type { Conversion } from './convert-binary.ts';
import type { ConversionAnswer, ConversionRequest } from './conversion-worker.ts';
import type { DemangleOptions } from './demangle.ts';
import type { DebugLinesOptions } from './run-debug-lines.ts';

/** JavaScript heap of a conversion. Sections and columns lie outside of it, bounded by the size of the upload. */
const WORKER_HEAP_MB = 1536;

export interface ConverterOptions {
  readonly demangle?: DemangleOptions;
  readonly debugLines?: DebugLinesOptions;
  readonly timeoutMs?: number;
}

/** The file itself is why it was not converted: converting it again gives the same. */
export class BinaryRefused extends Error {
  override readonly name = 'BinaryRefused';
}

export class Converter {
  readonly #options: ConverterOptions;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #running: Worker | undefined;
  #closed = false;

  constructor(options: ConverterOptions = {}) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * @param path The binary, or a debug file without its code (`objcopy --only-keep-debug`).
   * @param supplement Path of the supplementary file that the binary's .gnu_debugaltlink names.
   * @throws FleetflameError overloaded when the queue is full, cancelled when the converter is closed, unavailable
   *   when the thread ended without an answer
   * @throws BinaryRefused with the reason
   */
  async convert(path: string, buildId: string, supplement?: string): Promise<Conversion> {
    if (this.#waiting >= SYMBOL_LIMITS.queuedConversions) {
      throw new FleetflameError(
        'overloaded',
        `${this.#waiting} binaries wait for conversion, which is the most: send the last part again later.`,
      );
    }
    this.#waiting++;
    const { demangle = {}, debugLines = {} } = this.#options;
    const request = { path, supplement, buildId, demangle, debugLines };
    const turn = this.#queue.then(() => this.#run(request));
    this.#queue = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running?.terminate();
    await this.#queue;
  }

  async #run(request: ConversionRequest): Promise<Conversion> {
    if (this.#closed)
      throw new FleetflameError('cancelled', 'The server is shutting down: send the binary again later.');
    const answer = await this.#answer(request);
    if (answer.ok) return answer.conversion;
    if (answer.refused) throw new BinaryRefused(answer.problem);
    throw new FleetflameError('unavailable', `The binary was not converted: ${answer.problem}.`);
  }

  async #answer(request: ConversionRequest): Promise<ConversionAnswer> {
    const timeoutMs = this.#options.timeoutMs ?? CONVERSION_MS;
    const worker = new Worker(new URL('conversion-worker.ts', import.meta.url), {
      name: 'symbols',
      workerData: request,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
    });
    this.#running = worker;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<ConversionAnswer>((resolve) => {
        const refuse = (problem: string): void => resolve({ ok: false, refused: true, problem });
        timer = setTimeout(() => refuse(`it took longer than ${timeoutMs / 1000} s`), timeoutMs);
        worker.once('message', resolve);
        worker.once('error', (error) => refuse(`the conversion failed: ${error.message}`));
        worker.once('exit', () => resolve({ ok: false, refused: false, problem: 'its thread was ended' }));
      });
    } finally {
      clearTimeout(timer);
      this.#running = undefined;
      await worker.terminate();
    }
  }
}
