import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import { QueryService } from '@fleetflame/proto/query/v1/query';
import { childOf } from './process-tree.ts';
import { endProcess, MAIN, startServer } from './server-process.ts';

export interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
}

/** Of the agent's statistics, what tests look at. */
export interface AgentStats {
  readonly startedMs: number;
  readonly windows: number;
  readonly samples: number;
  readonly collections: number;
}

/** A running `fleetflame up` of this checkout, with its own port and data directory. */
export class Product {
  readonly url: string;
  readonly dataDir: string;
  readonly query: Client<typeof QueryService>;
  readonly ingest: Client<typeof IngestService>;
  readonly #child: ChildProcess;
  readonly #log: () => string;

  private constructor(url: string, dataDir: string, child: ChildProcess, log: () => string) {
    this.url = url;
    this.dataDir = dataDir;
    this.#child = child;
    this.#log = log;
    const transport = createConnectTransport({ baseUrl: url, httpVersion: '1.1', defaultTimeoutMs: 60_000 });
    this.query = createClient(QueryService, transport);
    this.ingest = createClient(IngestService, transport);
  }

  /** Starts `up`; resolves when it has said its URL. */
  static async start(
    options: {
      readonly dataDir?: string;
      readonly args?: readonly string[];
      readonly withoutCapabilities?: boolean;
    } = {},
  ): Promise<Product> {
    const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'fleetflame-up-')));
    const command = [
      process.execPath,
      '--perf-basic-prof-only-functions',
      '--interpreted-frames-native-stack',
      '--no-logfile-per-isolate',
      '--logfile=+',
      MAIN,
      'up',
      '--listen=127.0.0.1:0',
      `--data=${dataDir}`,
      ...(options.args ?? []),
    ];
    // Root without any capability may still read its own files: a host without BPF, as far as the agent sees.
    if (options.withoutCapabilities === true)
      command.unshift('setpriv', '--bounding-set=-all', '--inh-caps=-all', '--');
    const { child, url, log } = await startServer('up', command, { OTEL_SERVICE_NAME: 'fleetflame' });
    return new Product(url, dataDir, child, log);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The process that answers: a child of `pid`, when that is root's. */
  get serverPid(): number {
    return childOf(this.pid, 'up-server') ?? this.pid;
  }

  /** All that it has printed and logged. */
  get log(): string {
    return this.#log();
  }

  /** Ctrl-C; resolves with the exit code. */
  async stop(): Promise<number | null> {
    return await endProcess(this.#child, 'SIGINT');
  }

  /** kill -9 of the parent; the agent notices by itself. */
  async kill(): Promise<void> {
    await endProcess(this.#child, 'SIGKILL');
  }

  async remove(): Promise<void> {
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** A client verb against this server. */
  async cli(...args: readonly string[]): Promise<Output> {
    return await run(process.execPath, [MAIN, ...args], { FLEETFLAME_SERVER: this.url });
  }

  /** What the agent beside the server says of itself; undefined while there is none. */
  async agentStats(): Promise<AgentStats | undefined> {
    // Our own /status page.
    const status = JSON.parse((await this.get('/status')).text) as {
      readonly agent?: { readonly stats?: AgentStats };
    };
    return status.agent?.stats;
  }

  /** The page as text. */
  async get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`${this.url}${path}`);
    return { status: response.status, text: await response.text() };
  }
}

/** Runs a program to its end. */
export async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input?: string,
): Promise<Output> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const stdoutBytes = Buffer.concat(out);
  return { code, stdout: stdoutBytes.toString(), stdoutBytes, stderr: Buffer.concat(err).toString() };
}

/** Runs the CLI without a server. */
export async function runCli(...args: readonly string[]): Promise<Output> {
  return await run(process.execPath, [MAIN, ...args]);
}

/** Asks until the answer is there; fails with the last answer when it does not come. */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  good: (answer: T) => boolean,
  timeoutMs = 60_000,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (good(answer)) return answer;
    if (Date.now() > end)
      throw new Error(`waited in vain for ${what}; last answer: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
