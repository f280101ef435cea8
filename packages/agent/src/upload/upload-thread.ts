import { Worker } from 'node:worker_threads';
import type { ForeignFiles } from '@fleetflame/bpf';
import type { ForeignBinary } from './foreign-binary.ts';
import type { UploadLevel } from './prepare-upload.ts';
import type { OpenedBinary, UploadResult, UploadWork } from './upload-worker.ts';

/** An idle thread costs some 10 MB: it ends after this. */
const IDLE_MS = 15_000;

/** The binary is at fault, or its file: another attempt gives the same. */
export class UnfitBinary extends Error {
  override readonly name = 'UnfitBinary';
}

/** Its file system does not answer: another attempt may give more. */
export class SilentBinary extends UnfitBinary {}

/** Runs upload-worker.ts when there is something to do. One thing at a time; one binary is open at a time. */
export class UploadThread {
  readonly #files: ForeignFiles;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Of the last read. */
  #buffer: ArrayBuffer | undefined;

  /** `files` has the binaries that are given to `open`. */
  constructor(files: ForeignFiles) {
    this.#files = files;
  }

  /** @throws UnfitBinary */
  async open(binary: ForeignBinary, level: UploadLevel): Promise<OpenedBinary> {
    const { opened } = await this.#do({ op: 'open', binary, level });
    if (opened === undefined) throw new Error('the thread opened nothing');
    return opened;
  }

  /**
   * The bytes are the caller's until the next `read`: the buffer travels to the thread and back, so that gigabytes
   * are read without making garbage.
   * @throws UnfitBinary
   */
  async read(
    which: 'upload' | 'supplement',
    offset: number,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const buffer =
      this.#buffer !== undefined && this.#buffer.byteLength >= length
        ? this.#buffer
        : new ArrayBuffer(length);
    this.#buffer = undefined;
    const { bytes } = await this.#do({ op: 'read', which, offset, length, buffer }, [buffer]);
    if (bytes === undefined) throw new Error('the thread read nothing');
    this.#buffer = bytes.buffer;
    return bytes;
  }

  /** Closes the files of the binary that is open. */
  async closeBinary(): Promise<void> {
    if (this.#worker !== undefined) await this.#do({ op: 'close' });
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#buffer = undefined;
    await worker?.terminate();
  }

  async #do(
    work: UploadWork,
    transfer: ArrayBuffer[] = [],
  ): Promise<Extract<UploadResult, { readonly ok: true }>> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    try {
      const result = await resultOf(worker, work, transfer);
      if (!result.ok)
        throw result.passing === true ? new SilentBinary(result.problem) : new UnfitBinary(result.problem);
      return result;
    } finally {
      clearTimeout(this.#idle);
      this.#idle = setTimeout(() => void this.close(), IDLE_MS);
      this.#idle.unref();
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL('./upload-worker.ts', import.meta.url), {
      name: 'symbols',
      workerData: this.#files.number,
      resourceLimits: { maxOldGenerationSizeMb: 64 },
    });
    worker.unref();
    // An error without work under way has nobody to tell; the thread is gone all the same.
    worker.on('error', () => undefined);
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    return worker;
  }
}

/** Takes only its own listeners off again: removeAllListeners would cut the worker's own wiring. */
async function resultOf(worker: Worker, work: UploadWork, transfer: ArrayBuffer[]): Promise<UploadResult> {
  return await new Promise<UploadResult>((resolve) => {
    const settle = (result: UploadResult): void => {
      worker.off('message', settle).off('error', onError).off('exit', onExit);
      resolve(result);
    };
    // It may run out of memory on a huge binary: that is this binary's problem, not the agent's.
    const onError = (error: unknown): void => settle({ ok: false, problem: String(error) });
    const onExit = (): void => settle({ ok: false, problem: 'the thread ended' });
    worker.on('message', settle).on('error', onError).on('exit', onExit);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(work, transfer);
  });
}
