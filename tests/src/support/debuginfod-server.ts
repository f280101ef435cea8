import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endProcess } from './server-process.ts';

const RELAY = fileURLToPath(new URL('debuginfod-relay.ts', import.meta.url));

/** A real debuginfod over a directory, on loopback only. Needs root, for its network namespace. */
export class DebuginfodServer {
  readonly url: string;
  /** Build id and kind of every request. */
  readonly requests: readonly string[];
  readonly #child: ChildProcess;
  readonly #server: Server;
  readonly #folder: string;

  private constructor(
    url: string,
    requests: readonly string[],
    child: ChildProcess,
    server: Server,
    folder: string,
  ) {
    this.url = url;
    this.requests = requests;
    this.#child = child;
    this.#server = server;
    this.#folder = folder;
  }

  /** Resolves when it has scanned the directory, which must have a file with `buildId`. */
  static async start(directory: string, buildId: string): Promise<DebuginfodServer> {
    const folder = await mkdtemp(join(tmpdir(), 'fleetflame-debuginfod-'));
    const socket = join(folder, 'socket');
    const inside = ['ip link set lo up && exec "$0" "$@"', process.execPath, RELAY, socket];
    const child = spawn('unshare', ['--net', '--', 'sh', '-c', ...inside, '-t', '1', '-F', directory], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, HOME: folder, XDG_CACHE_HOME: folder },
    });
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`debuginfod ended with ${code}: ${stderr}`)));
    });
    const requests: string[] = [];
    const server = createServer((incoming) => {
      const outgoing = connect(socket);
      incoming.on('data', (chunk) => {
        for (const [, what = ''] of chunk.toString('latin1').matchAll(/^GET \/buildid\/(\S+)/gm))
          requests.push(what);
      });
      incoming.pipe(outgoing).pipe(incoming);
      incoming.on('error', () => outgoing.destroy());
      outgoing.on('error', () => incoming.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the relay has no port');
    const url = `http://127.0.0.1:${address.port}`;
    const started = new DebuginfodServer(url, requests, child, server, folder);
    for (const end = Date.now() + 60_000; ;) {
      const status = await fetch(`${url}/buildid/${buildId}/debuginfo`).then(
        async (response) => {
          await response.body?.cancel();
          return response.status;
        },
        () => 0,
      );
      if (status === 200) break;
      if (Date.now() > end) throw new Error(`debuginfod does not find ${buildId}: ${stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    requests.length = 0;
    return started;
  }

  async close(): Promise<void> {
    this.#server.close();
    await endProcess(this.#child, 'SIGTERM');
    await rm(this.#folder, { recursive: true, force: true });
  }
}
