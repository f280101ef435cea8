/** Drives the server: batches built beforehand, sent through Connect as agents send them. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';

export interface Batch {
  readonly bytes: Uint8Array;
  readonly rows: number;
  readonly samples: number;
}

export interface LoadResult {
  readonly seconds: number;
  readonly batches: number;
  readonly rows: number;
  readonly samples: number;
  readonly bytes: number;
  readonly serverCpuSeconds: number;
  readonly peakBytes: number;
  readonly ackMs: readonly number[];
  readonly metrics: string;
}

interface ServerStat {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly metrics: string;
  /** Of maintenance. */
  readonly openJobs: number;
  readonly storedBytes: number;
}

export class Server {
  readonly #child: ChildProcess;
  readonly client: Client<typeof IngestService>;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    const transport = createConnectTransport({
      baseUrl: `http://127.0.0.1:${port}`,
      httpVersion: '2',
      acceptCompression: [],
      nodeOptions: { settings: { initialWindowSize: 4 << 20 } },
    });
    this.client = createClient(IngestService, transport);
  }

  /** `maintained`: with compaction, as `up` has it. */
  static async start(dataDir: string, maintained = false): Promise<Server> {
    const path = fileURLToPath(new URL('./server.ts', import.meta.url));
    const child = fork(path, maintained ? [dataDir, 'maintained'] : [dataDir]);
    const { port } = await reply<{ readonly port: number }>(child);
    return new Server(child, port);
  }

  async stat(): Promise<ServerStat> {
    this.#child.send('stat');
    return reply<ServerStat>(this.#child);
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

/** The child's next message; server.ts sends only what its parent asked for. */
function reply<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve) => child.once('message', (message: T) => resolve(message)));
}

/**
 * Sends `batches` again and again for `seconds`. Without a rate: `writers` calls are always
 * underway. With one: so many batches a second, however many calls that takes.
 */
export async function drive(
  server: Server,
  batches: readonly Batch[],
  options: {
    readonly name: string;
    readonly seconds: number;
    readonly writers?: number;
    readonly perSecond?: number;
  },
): Promise<LoadResult> {
  const { name, seconds, writers = 0, perSecond = 0 } = options;
  const before = await server.stat();
  const started = performance.now();
  const endMs = started + seconds * 1000;
  const ackMs: number[] = [];
  const sum = { batches: 0, rows: 0, samples: 0, bytes: 0 };
  let next = 0;
  const send = async (): Promise<void> => {
    const seq = next++;
    const batch = batches[seq % batches.length]!;
    const sentMs = performance.now();
    await server.client.write({ agentId: name, seq: BigInt(seq), block: batch.bytes });
    ackMs.push(performance.now() - sentMs);
    sum.batches++;
    sum.rows += batch.rows;
    sum.samples += batch.samples;
    sum.bytes += batch.bytes.length;
  };
  const calls: Promise<void>[] = [];
  for (let writer = 0; writer < writers; writer++) {
    calls.push(
      (async () => {
        while (performance.now() < endMs) await send();
      })(),
    );
  }
  if (perSecond > 0) {
    for (let i = 0; i < perSecond * seconds; i++) {
      const waitMs = started + (i * 1000) / perSecond - performance.now();
      if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
      calls.push(send());
    }
  }
  await Promise.all(calls);
  const wall = (performance.now() - started) / 1000;
  const after = await server.stat();
  return {
    ...sum,
    seconds: wall,
    serverCpuSeconds: after.cpuSeconds - before.cpuSeconds,
    peakBytes: after.peakBytes,
    ackMs: ackMs.toSorted((a, b) => a - b),
    metrics: after.metrics,
  };
}
