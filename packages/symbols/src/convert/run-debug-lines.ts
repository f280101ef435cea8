/**
 * Runs native/debug-lines on a file: a process per conversion, bounded in time, memory and output. Debug information
 * is a stranger's, and the library that reads it is C: whatever goes wrong in there costs one table its lines.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ElfError } from '@fleetflame/elf';
import { debugLinesBytes, LINES_HEADER_BYTES, parseDebugLines, type DebugLines } from './debug-lines.ts';

export interface DebugLinesLimits {
  /** Memory of the process beyond the mapped file: 1.1 GB for 0.65 GB of debug information (ceph-osd). */
  readonly memoryMb: number;
  readonly cpuSeconds: number;
  /**
   * Stops a process that waits for ever. Less than CONVERSION_MS: the symbols are converted afterwards. On a machine
   * that is busy with other work a niced process takes many times its CPU time.
   */
  readonly wallMs: number;
  /** Files beyond are not looked at. */
  readonly fileBytes: number;
  /** What it may answer: columns, before compression. libc's are 0.7 MB. */
  readonly outputBytes: number;
}

export const DEBUG_LINES_LIMITS: DebugLinesLimits = {
  memoryMb: 3072,
  cpuSeconds: 100,
  wallMs: 300_000,
  fileBytes: 4 * 1024 ** 3,
  outputBytes: 1024 ** 3,
};

export interface DebugLinesOptions {
  /** Default: what native/build.sh has built. */
  readonly command?: string;
  readonly limits?: Partial<DebugLinesLimits>;
}

const COMMAND = fileURLToPath(new URL('../../build/debug-lines', import.meta.url));
/** Characters of what the process says when it refuses a file. */
const MAX_REASON = 300;

/** @throws ElfError with the reason why there are no lines, to be read after "lines and inlined calls are missing: " */
export async function runDebugLines(
  path: string,
  fileBytes: number,
  supplement: string | undefined,
  options: DebugLinesOptions = {},
): Promise<DebugLines> {
  const limits = { ...DEBUG_LINES_LIMITS, ...options.limits };
  if (fileBytes > limits.fileBytes) {
    throw new ElfError(`the file has ${fileBytes} bytes, of at most ${limits.fileBytes} they are read`);
  }
  return parseDebugLines(await execute(path, supplement, options.command ?? COMMAND, limits));
}

function execute(
  path: string,
  supplement: string | undefined,
  command: string,
  limits: DebugLinesLimits,
): Promise<Uint8Array> {
  const bounds = ['--memory-mb', String(limits.memoryMb), '--cpu-seconds', String(limits.cpuSeconds)];
  const files = supplement === undefined ? [path] : ['--supplement', supplement, path];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...bounds, ...files], { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
    const output = new Output(limits.outputBytes);
    let reason = '';
    let problem: string | undefined;
    const giveUp = (why: string): void => {
      problem ??= why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => giveUp(`it took longer than ${limits.wallMs / 1000} s`), limits.wallMs);
    child.stdout.on('data', (piece: Buffer) => {
      const wrong = output.take(piece);
      if (wrong !== undefined) giveUp(wrong);
    });
    child.stderr.on('data', (piece: Buffer) => {
      if (reason.length < MAX_REASON) reason += piece.toString('utf8');
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(
        new ElfError(
          `what reads debug information cannot be started (it is built where the packages libdw-dev and libzstd-dev are): ${error.message}`,
        ),
      );
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const bytes = code === 0 && problem === undefined ? output.whole : undefined;
      if (bytes === undefined) reject(new ElfError(problem ?? ending(code, signal, reason, limits)));
      else resolve(bytes);
    });
  });
}

function ending(
  code: number | null,
  signal: string | null,
  reason: string,
  limits: DebugLinesLimits,
): string {
  if (signal === 'SIGXCPU') return `it took longer than ${limits.cpuSeconds} s of CPU time`;
  if (signal !== null) return `what reads debug information ended by ${signal}`;
  return (
    reason.trim().slice(0, MAX_REASON) || `what reads debug information ended with status ${code}, cut off`
  );
}

/** One piece of memory, made when the header has come. */
class Output {
  #bytes: Uint8Array | undefined;
  readonly #most: number;
  #head = Buffer.alloc(0);
  #length = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** What is wrong with it, or undefined. */
  take(piece: Buffer): string | undefined {
    if (this.#bytes === undefined) {
      this.#head = Buffer.concat([this.#head, piece]);
      if (this.#head.length < LINES_HEADER_BYTES) return undefined;
      let total: number;
      try {
        total = debugLinesBytes(this.#head);
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
      if (total > this.#most) return `its lines and names take ${total} bytes, more than ${this.#most}`;
      this.#bytes = new Uint8Array(total);
      return this.#append(this.#head);
    }
    return this.#append(piece);
  }

  /** Undefined as long as something is missing. */
  get whole(): Uint8Array | undefined {
    return this.#length === this.#bytes?.length ? this.#bytes : undefined;
  }

  #append(piece: Buffer): string | undefined {
    if (this.#bytes === undefined || this.#length + piece.length > this.#bytes.length)
      return 'the result is too long';
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
    return undefined;
  }
}
