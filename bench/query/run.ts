/** Latency of flame-graph queries over stores of 10^5, 10^6 and 10^7 sample rows. See README.md. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient, type Client, type Interceptor } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node';
import { decodeFlameTable } from '@fleetflame/profile';
import { QueryService } from '@fleetflame/proto/query/v1/query';
import { createQuery } from '@fleetflame/query';
import { Store } from '@fleetflame/store';
import { SymbolStore } from '@fleetflame/symbols';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { BLOCK_MS, fleetBlock, PROFILE_TYPE, START_MS } from './fleet.ts';

const RETENTION_MS = 100 * 365 * 86_400_000;
const log = pino({ level: 'silent' });

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '100000,1000000,10000000' },
    /** Rows of one block at most: a compacted day of this fleet; 250000 is an hour. */
    'block-rows': { type: 'string', default: '2500000' },
    repeat: { type: 'string', default: '5' },
  },
});
const repeat = Number(values.repeat);
const blockRows = Number(values['block-rows']);

/** A question that fails ends the bench with the reason. */
const tell: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    console.error(error);
    return process.exit(1);
  }
};

for (const rows of values.rows.split(',').map(Number)) await benchRows(rows);

async function benchRows(rows: number): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'fleetflame-bench-'));
  const store = await Store.open({ dataDir, retentionMs: RETENTION_MS, log, registry: new Registry() });
  try {
    const hours = Math.ceil(rows / blockRows);
    const written = await fill(store, hours, Math.ceil(rows / hours));
    console.log(`\n${written.rows.toLocaleString('en')} sample rows, ${hours} blocks, ${mb(written.bytes)}`);
    console.log('query'.padEnd(36), ' cold ms    (CPU)  warm ms    (CPU)   nodes       read');
    const everything = {
      fromMs: BigInt(START_MS),
      toMs: BigInt(START_MS + hours * BLOCK_MS),
      profileType: PROFILE_TYPE,
    };
    const cut = { ...everything, fromMs: everything.fromMs + 900_500n, toMs: everything.toMs - 900_500n };
    const one = { ...everything, selector: '{service_name="service-07"}' };
    const some = { ...everything, selector: '{host_name=~"host-.*-1[0-9]"}' };
    await report(store, 'flame graph of everything', async (client) => flame(client, { scope: everything }));
    await report(store, 'flame graph, range cuts blocks', async (client) => flame(client, { scope: cut }));
    await report(store, 'flame graph of one service', async (client) => flame(client, { scope: one }));
    await report(store, 'flame graph of hosts by regex', async (client) => flame(client, { scope: some }));
    await report(store, 'flame graph by service_name', async (client) =>
      flame(client, { scope: everything, groupBy: ['service_name'] }),
    );
    await report(store, 'top functions of everything', async (client) => {
      const { functions, coverage } = await client.top({ scope: everything });
      return { nodes: functions.length, bytesRead: Number(coverage?.bytesRead ?? 0n) };
    });
    await report(store, 'series by service_name, 60 steps', async (client) => {
      const stepMs = BigInt(Math.ceil((hours * BLOCK_MS) / 60_000) * 1000);
      const answer = await client.series({ scope: everything, stepMs, groupBy: ['service_name'] });
      return { nodes: answer.groups.length, bytesRead: Number(answer.coverage?.bytesRead ?? 0n) };
    });
  } finally {
    await store.close();
    await rm(dataDir, { recursive: true });
  }
}

/** Milliseconds: of the clock, and of CPU over all threads, which other load on the machine does not lengthen. */
interface Times {
  readonly wall: number[];
  readonly cpu: number[];
}

interface Answer {
  readonly nodes: number;
  readonly bytesRead: number;
}

async function flame(
  client: Client<typeof QueryService>,
  request: Parameters<Client<typeof QueryService>['flameGraph']>[0],
): Promise<Answer> {
  const { table, coverage } = await client.flameGraph(request);
  return { nodes: decodeFlameTable(table).length, bytesRead: Number(coverage?.bytesRead ?? 0n) };
}

async function fill(
  store: Store,
  hours: number,
  rowsPerBlock: number,
): Promise<{ rows: number; bytes: number }> {
  for (let hour = 0; hour < hours; hour++) {
    const batches = [{ agentId: 'bench', seq: BigInt(hour) }];
    await store.commitSegment({ block: fleetBlock(hour, rowsPerBlock), batches });
  }
  const snapshot = await store.snapshot({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER });
  snapshot.release();
  const sum = (of: (block: (typeof snapshot.blocks)[number]) => number): number =>
    snapshot.blocks.reduce((total, block) => total + of(block), 0);
  return { rows: sum((block) => block.rows), bytes: sum((block) => block.sizeBytes) };
}

/** Cold: a query service that has just started (files are in the page cache). Warm: the same question again. */
async function report(
  store: Store,
  name: string,
  ask: (client: Client<typeof QueryService>) => Promise<Answer>,
): Promise<void> {
  const cold: Times = { wall: [], cpu: [] };
  const warm: Times = { wall: [], cpu: [] };
  let first: Answer = { nodes: 0, bytesRead: 0 };
  for (let round = 0; round < repeat; round++) {
    const query = createQuery({
      store,
      symbols: new SymbolStore({ storage: store.objects, log, registry: new Registry() }),
      log,
      registry: new Registry(),
    });
    const server = createServer(
      connectNodeAdapter({ routes: (router) => query.routes(router), interceptors: [tell] }),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    await query.ready();
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    const baseUrl = `http://127.0.0.1:${address.port}`;
    const transport = createConnectTransport({ baseUrl, httpVersion: '1.1', acceptCompression: [] });
    const client = createClient(QueryService, transport);
    const time = async (times: Times): Promise<Answer> => {
      const started = performance.now();
      const cpu = process.cpuUsage();
      const answer = await ask(client);
      const { user, system } = process.cpuUsage(cpu);
      times.wall.push(performance.now() - started);
      times.cpu.push((user + system) / 1000);
      return answer;
    };
    first = await time(cold);
    for (let i = 0; i < 3; i++) await time(warm);
    server.closeAllConnections();
    server.close();
    await query.close();
  }
  console.log(
    name.padEnd(36),
    ...[cold.wall, cold.cpu, warm.wall, warm.cpu].map((times) => median(times).toFixed(0).padStart(8)),
    String(first.nodes).padStart(7),
    mb(first.bytesRead).padStart(10),
  );
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
