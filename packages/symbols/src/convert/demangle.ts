/**
 * Names for people: C++ (Itanium) and Rust (legacy and v0) through binutils' c++filt, which is installed wherever a
 * compiler is. It runs as a child process, because demanglers are old C code fed with untrusted names: a crash or an
 * endless name costs a batch, not the server. What cannot be demangled keeps its mangled name and is counted.
 */
import { execFile } from 'node:child_process';

export interface DemangleResult {
  /** Of each name given: for people, or undefined to keep it. */
  readonly names: readonly (string | undefined)[];
  readonly demangled: number;
  /** Left as they are because c++filt is missing, crashed, or took too long. */
  readonly failed: number;
  readonly problem: string | undefined;
}

export interface DemangleOptions {
  /** Default: c++filt, from PATH. */
  readonly command?: string;
  readonly limits?: Partial<DemangleLimits>;
}

export interface DemangleLimits {
  /** Bytes of names given to one process. */
  readonly batchBytes: number;
  /** A longer mangled name is kept as it is. */
  readonly nameBytes: number;
  /** A longer result is not used: no screen shows it, and it would be stored for ever. */
  readonly resultLength: number;
  /** What one process may print: substitutions in a mangled name can grow without end. */
  readonly outputBytes: number;
  readonly batchMs: number;
  /** Processes started for one binary: a batch that fails is split in two to find the name that does it. */
  readonly processes: number;
}

export const DEMANGLE_LIMITS: DemangleLimits = {
  batchBytes: 2 * 1024 * 1024,
  nameBytes: 16_384,
  resultLength: 8192,
  outputBytes: 64 * 1024 * 1024,
  batchMs: 20_000,
  processes: 200,
};

/** C++ and Rust; only characters that c++filt takes as one word, and no line break. */
const MANGLED = /^_{1,3}(?:Z|R)[\w$.]+$/;

export async function demangle(
  names: readonly string[],
  options: DemangleOptions = {},
): Promise<DemangleResult> {
  const limits = { ...DEMANGLE_LIMITS, ...options.limits };
  const run = new Run(options.command ?? 'c++filt', limits, names);
  let batch: number[] = [];
  let bytes = 0;
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? '';
    if (!MANGLED.test(name) || name.length > limits.nameBytes) continue;
    if (bytes + name.length + 1 > limits.batchBytes) {
      await run.batch(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(index);
    bytes += name.length + 1;
  }
  await run.batch(batch);
  return run;
}

class Run implements DemangleResult {
  readonly names: (string | undefined)[] = [];
  demangled = 0;
  failed = 0;
  problem: string | undefined;
  readonly #command: string;
  readonly #limits: DemangleLimits;
  readonly #mangled: readonly string[];
  #processes = 0;
  #missing = false;

  constructor(command: string, limits: DemangleLimits, mangled: readonly string[]) {
    this.#command = command;
    this.#limits = limits;
    this.#mangled = mangled;
    this.names.length = mangled.length;
  }

  async batch(indices: readonly number[]): Promise<void> {
    if (indices.length === 0) return;
    if (this.#missing || this.#processes >= this.#limits.processes) {
      this.failed += indices.length;
      return;
    }
    this.#processes++;
    let lines: string[];
    try {
      lines = await this.#filter(indices);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      this.problem ??= this.#missing
        ? `${this.#command} is not installed (package binutils): names of C++ and Rust stay mangled`
        : `${this.#command} failed: ${message.split('\n')[0] ?? ''}`;
      if (this.#missing || indices.length === 1) {
        this.failed += indices.length;
        return;
      }
      const half = indices.length >> 1;
      await this.batch(indices.slice(0, half));
      await this.batch(indices.slice(half));
      return;
    }
    indices.forEach((index, at) => {
      const line = lines[at] ?? '';
      if (line === '' || line === this.#mangled[index] || line.length > this.#limits.resultLength) return;
      this.names[index] = line;
      this.demangled++;
    });
  }

  async #filter(indices: readonly number[]): Promise<string[]> {
    const input = `${indices.map((index) => this.#mangled[index]).join('\n')}\n`;
    const lines = (await this.#execute(input)).split('\n');
    if (lines.length !== indices.length + 1)
      throw new Error(`${lines.length - 1} lines for ${indices.length} names`);
    return lines;
  }

  /** -i: without what only a debugger wants, such as the hash of each Rust crate. */
  #execute(input: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = execFile(
        this.#command,
        ['-i'],
        {
          timeout: this.#limits.batchMs,
          killSignal: 'SIGKILL',
          maxBuffer: this.#limits.outputBytes,
          env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
        },
        (error, stdout) => {
          if (error === null) resolve(stdout);
          else reject(error);
        },
      );
      // It may end before it has read everything: the exit says why.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    });
  }
}
