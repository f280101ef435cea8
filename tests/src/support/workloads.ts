import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './product.ts';

export const FIXTURES = fileURLToPath(new URL('../../fixtures', import.meta.url));

/** Kernel clock ticks per second in /proc: 100 on every Linux that Debian ships. */
const TICKS_PER_SECOND = 100;

/** A directory for what a test builds. */
export class Workshop {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<Workshop> {
    return new Workshop(await mkdtemp(join(tmpdir(), 'fleetflame-work-')));
  }

  async close(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Compiles a C fixture; default: with frame pointers, without debug information. */
  async c(
    name: string,
    flags = ['-O1', '-g0', '-fno-omit-frame-pointer', '-fno-optimize-sibling-calls', '-fno-inline'],
  ): Promise<string> {
    const output = join(this.directory, name);
    await must('gcc', [...flags, '-o', output, join(FIXTURES, `${name}.c`)]);
    return output;
  }

  /** Compiles a Go fixture. */
  async go(name: string): Promise<string> {
    const output = join(this.directory, `${name}-go`);
    await must('go', ['build', '-o', output, join(FIXTURES, `${name}.go`)], {
      GOCACHE: join(tmpdir(), 'fleetflame-go-cache'),
      GOFLAGS: '-mod=mod',
      GO111MODULE: 'off',
    });
    return output;
  }
}

async function must(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { code, stderr } = await run(program, args, env);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr}`);
}

/** A program under load that the test watches through /proc. */
export class Workload {
  readonly service: string;
  readonly #child: ChildProcess;

  constructor(service: string, program: string, args: readonly string[]) {
    this.service = service;
    this.#child = spawn(program, args, {
      stdio: 'ignore',
      env: { ...process.env, OTEL_SERVICE_NAME: service },
    });
  }

  /** CPU seconds, user and system, of all its threads. */
  async cpuSeconds(): Promise<number> {
    const text = await readFile(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Busy CPU seconds of all CPUs since boot: everything but idle, iowait and steal. */
export async function busyCpuSeconds(): Promise<number> {
  const line = (await readFile('/proc/stat', 'utf8')).split('\n')[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}
