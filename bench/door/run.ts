/** What strangers cost others: the worst answer of /healthz while they do their worst; see README.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerProcess } from '../fleet/server-process.ts';
import { describeMachine } from '../overhead/machine.ts';
import { watchHealth } from './health-watch.ts';
import { bytes, manyStacks } from './many-stacks.ts';

const INGEST = '/fleetflame.ingest.v1.IngestService/';
const QUERY = '/fleetflame.query.v1.QueryService/';
const JOBS = '/fleetflame.store.v1.JobService/';
const DAY_MS = 86_400_000;

type Load = (url: URL) => Promise<string>;

/** The status of an answer; 0 where none came. */
async function post(
  url: URL,
  path: string,
  body: Uint8Array | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  return await new Promise((resolve) => {
    const type = typeof body === 'string' ? 'application/json' : 'application/proto';
    const asked = httpRequest(
      new URL(path, url),
      { method: 'POST', agent: false, headers: { 'content-type': type, ...headers } },
      (response) => {
        response.resume();
        response.once('close', () => resolve(response.statusCode ?? 0));
      },
    );
    asked.once('error', () => resolve(0));
    asked.end(body);
  });
}

function tally(statuses: readonly number[]): string {
  const counts = Map.groupBy(statuses, (status) => status);
  return [...counts].map(([status, those]) => `${those.length} × ${status}`).join(', ');
}

async function times(count: number, work: (i: number) => Promise<number>): Promise<string> {
  return tally(await Promise.all(Array.from({ length: count }, (_, i) => work(i))));
}

async function open(url: URL, say: Uint8Array | string): Promise<Socket> {
  const socket = connect(Number(url.port), url.hostname);
  socket.on('error', () => undefined).on('data', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', () => resolve()));
  socket.write(say);
  return socket;
}

async function many(url: URL, count: number, say: Uint8Array | string, forMs: number): Promise<string> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) sockets.push(await open(url, say));
  await sleep(forMs);
  const left = sockets.filter((socket) => !socket.destroyed).length;
  for (const socket of sockets) socket.destroy();
  return `${left} of ${count} still open`;
}

const GZIP = { 'content-encoding': 'gzip' };
const label = (name: string): Buffer =>
  bytes(2, Buffer.concat([bytes(1, Buffer.from(name)), bytes(2, Buffer.from('v'))]));

const LOADS: Readonly<Record<string, Load>> = {
  nothing: async () => {
    await sleep(3000);
    return '';
  },
  'targets that are none, 2,000': async (url) => {
    const targets = ['//', '/\\\\', 'http://[', '/%00', '*', '', 'http://evil.example/'];
    for (let i = 0; i < 2000; i++) {
      const socket = await open(
        url,
        `GET ${targets[i % targets.length]} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      );
      await new Promise((resolve) => (socket.destroyed ? resolve(0) : socket.once('close', resolve)));
    }
    return '';
  },
  'series of 180 days to now by seconds, 32': async (url) => {
    const scope = { fromMs: String(Date.now() - 180 * DAY_MS), toMs: '0', profileType: 'cpu' };
    return await times(32, async () =>
      post(url, `${QUERY}Series`, JSON.stringify({ scope, stepMs: '1000' })),
    );
  },
  'regular expressions of 64 classes, 64': async (url) => {
    const selector = `{a=~"${'[\\\\pL\\\\pN]'.repeat(20)}",b=~"${'\\\\pL'.repeat(20)}"}`;
    return await times(64, async () => post(url, `${QUERY}Top`, JSON.stringify({ scope: { selector } })));
  },
  'gzip of 60 MB in 60 kB, 48': async (url) => {
    const bomb = gzipSync(bytes(3, Buffer.alloc(60 << 20)), { level: 9 });
    return await times(48, async () => post(url, `${INGEST}Write`, bomb, GZIP));
  },
  'gzip of 15 MB in 15 kB, 48': async (url) => {
    const bomb = gzipSync(bytes(3, Buffer.alloc(15 << 20)), { level: 9 });
    return await times(48, async () => post(url, `${INGEST}Write`, bomb, GZIP));
  },
  'pushes with 300,000 labels, 8': async (url) => {
    const body = gzipSync(Buffer.concat(Array.from({ length: 300_000 }, (_, i) => label(`l${i}`))));
    return await times(8, async () => post(url, `${INGEST}WritePprof`, body, GZIP));
  },
  'JSON of 15 MB, 8': async (url) => {
    const body = JSON.stringify({ profile: Buffer.alloc(11 << 20, 7).toString('base64') });
    return await times(8, async () => post(url, `${INGEST}WritePprof`, body));
  },
  'connections that say nothing, 4,200 for 8 s': async (url) => many(url, 4200, '', 8000),
  'half prefaces, 1,000 for 8 s': async (url) => many(url, 1000, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 8000),
  'bodies that do not come, 1,000 for 8 s': async (url) =>
    many(
      url,
      1000,
      `POST ${INGEST}Write HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/proto\r\ncontent-length: 9999\r\n\r\n`,
      8000,
    ),
  'erasures, 500': async (url) =>
    times(500, async (i) =>
      post(url, `${JOBS}Erase`, JSON.stringify({ labelName: 'none', labelValue: `v${i}` })),
    ),
  'pushes of 30 kB on one connection, 512': async (url) => {
    const session = connectHttp2(url, { maxSessionMemory: 1000 });
    const body = bytes(1, Buffer.alloc(30_000, 7));
    const answer = await times(512, async () => {
      const stream = session.request({
        ':method': 'POST',
        ':path': `${INGEST}WritePprof`,
        'content-type': 'application/proto',
      });
      stream.end(body);
      return await new Promise((resolve) => {
        stream.once('response', (headers) => resolve(Number(headers[':status'])));
        stream.once('error', () => resolve(0));
        stream.resume();
      });
    });
    session.close();
    return answer;
  },
  'many stacks: 3.3 million prefixes, 1': async (url) => {
    const body = Buffer.concat([
      bytes(1, manyStacks()),
      bytes(2, Buffer.concat([bytes(1, Buffer.from('service_name')), bytes(2, Buffer.from('many-stacks'))])),
      // time_ms: now.
      Buffer.from([24]),
      longVarint(Date.now()),
    ]);
    const status = await post(url, `${INGEST}WritePprof`, body);
    return `${body.length} bytes: ${status}`;
  },
  'its flame graph, and all of its functions': async (url) => {
    const scope = { selector: '{service_name="many-stacks"}', profileType: 'cpu' };
    const flame = await post(url, `${QUERY}FlameGraph`, JSON.stringify({ scope, maxNodes: 16_384 }));
    const top = await post(url, `${QUERY}Top`, JSON.stringify({ scope }));
    return tally([flame, top]);
  },
};

function longVarint(value: number): Buffer {
  const out: number[] = [];
  let left = BigInt(value);
  for (; left > 127n; left >>= 7n) out.push(Number(left & 127n) | 128);
  return Buffer.from([...out, Number(left)]);
}

const only = new RegExp(process.argv[2] ?? '');
const directory = await mkdtemp(join(tmpdir(), 'fleetflame-bench-door-'));
const server = await ServerProcess.up(directory, '7d');
const health = watchHealth(server.url, await server.pid());
process.stdout.write(
  `${describeMachine()}\n\n| load | worst /healthz | its thread ran | waited for a CPU | answers | load’s answers | CPU s | peak MB |\n|---|---|---|---|---|---|---|---|\n`,
);
let worst = 0;
try {
  // Started, and warm.
  await sleep(2000);
  await health.take();
  for (const [name, load] of Object.entries(LOADS)) {
    if (!only.test(name)) continue;
    const before = await server.usage();
    const said = await load(new URL(server.url));
    const { worstMs, ranMs, delayedMs, answers, failures } = await health.take();
    const { cpuSeconds, peakBytes } = await server.usage();
    worst = Math.max(worst, worstMs);
    const failed = failures > 0 ? `, ${failures} failed` : '';
    const cpu = (cpuSeconds - before.cpuSeconds).toFixed(1);
    process.stdout.write(
      `| ${name} | ${worstMs.toFixed(0)} ms | ${ranMs.toFixed(0)} ms | ${delayedMs.toFixed(0)} ms | ${answers}${failed} | ${said} | ${cpu} | ${(peakBytes / 1e6).toFixed(0)} |\n`,
    );
  }
  process.stdout.write(`\nworst: ${worst.toFixed(0)} ms\n`);
} finally {
  await health.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
}
