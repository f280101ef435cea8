import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const CLOCK_TICKS = 100;

/** A role in a process of its own, so that its CPU and memory are its own. */
export class ServerProcess {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /** `fleetflame up` without an agent. */
  static async up(dataDir: string, retention: string): Promise<ServerProcess> {
    return await ServerProcess.start('up', ['--no-agent', '--data', dataDir, '--retention', retention]);
  }

  static async start(
    role: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ServerProcess> {
    const child = spawn(process.execPath, [MAIN, role, '--listen', '127.0.0.1:0', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    const url = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const match = /is up: (http:\S+)/.exec(text);
        if (match?.[1] !== undefined) resolve(match[1]);
      });
      child.once('exit', (code) => reject(new Error(`${role} ended with ${code}: ${text}`)));
    });
    return new ServerProcess(url, child);
  }

  /** CPU seconds so far, and the most memory that was ever resident, bytes. */
  async usage(): Promise<{ readonly cpuSeconds: number; readonly peakBytes: number }> {
    const pid = await this.pid();
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // After the name, which may hold anything: state is the first field, utime the twelfth.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS,
      peakBytes: Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
    };
  }

  /** Of the server: `up` as root is a small parent, and the server its child. */
  async pid(): Promise<number> {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('the process did not begin');
    const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean);
    if (child === undefined) return pid;
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8');
    return command.includes('up-server') ? Number(child) : pid;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
  }
}
