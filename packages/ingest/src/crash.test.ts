/** I1 and I2 through the wire: the server is killed under load, writers retry against the next one. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { scaled } from '@fleetflame/testing';
import { encodeBlock } from '@fleetflame/profile';
import { blockFromText } from '@fleetflame/profile/testing';
import { IngestService } from '@fleetflame/proto/ingest/v1/ingest';
import { expect, test } from 'vitest';
import { startIngestServer } from './testing/ingest-server.ts';
import { storeSums } from './testing/store-sums.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const CHILD = fileURLToPath(new URL('./testing/server-child.ts', import.meta.url));
const KILLS = scaled(5, 100);
const WRITERS = 12;

/** What all writers talk to at the moment. */
interface Target {
  client: Client<typeof IngestService> | undefined;
}

async function startChild(dataDir: string, target: Target): Promise<ChildProcess> {
  const child = spawn(process.execPath, [CHILD, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = await once(createInterface(child.stdout), 'line');
  const transport = createConnectTransport({ baseUrl: String(url), httpVersion: '2', acceptCompression: [] });
  target.client = createClient(IngestService, transport);
  return child;
}

/** Sends batches in order, each until it is acked, as an agent does. */
async function writeUntil(done: () => boolean, target: Target, writer: number): Promise<number> {
  let seq = 0;
  for (; !done(); seq++) {
    const block = encodeBlock(blockFromText(`main;writer-${writer} 7`, { timeMs: Date.now() - 5000 }));
    for (;;) {
      try {
        if (target.client === undefined) throw new Error('no server');
        await target.client.write({ agentId: `writer-${writer}`, seq: BigInt(seq), block });
        break;
      } catch {
        await setTimeout(20);
      }
    }
  }
  return seq;
}

test('a server killed under load loses nothing that it acked and counts no retry twice', async () => {
  using directory = temporaryDirectory();
  const lives = Array.from({ length: KILLS }, () => randomInt(100, 700));
  const target: Target = { client: undefined };
  let done = false;
  let child = await startChild(directory.path, target);
  const writers = Array.from({ length: WRITERS }, (_, writer) => writeUntil(() => done, target, writer));
  for (const lifeMs of lives) {
    await setTimeout(lifeMs);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    child = await startChild(directory.path, target);
  }
  done = true;
  const acked = await Promise.all(writers);
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  await using server = await startIngestServer(directory.path);
  const expected = acked.map((batches, writer) => [`test writer-${writer}`, batches * 7] as const);
  expect({ lives, sums: await storeSums(server.store) }).toEqual({ lives, sums: new Map(expected) });
  expect(Math.min(...acked)).toBeGreaterThan(0);
});
