/**
 * A cluster on a real S3 server and a real PostgreSQL under the simulated fleet: as fast as it takes batches, then at
 * half of that. Prints the table of README.md.
 */
import { mkdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PostgresServer, Rgw } from '@fleetflame/store/testing';
import { capture } from '../day/capture.ts';
import { describeMachine } from '../overhead/machine.ts';
import { readCaptured } from './captured-batches.ts';
import { checkSums } from './check-sums.ts';
import { writeFleet, type WriteResult } from './fleet-writer.ts';
import { ServerProcess } from './server-process.ts';
import { SimulatedFleet } from './simulated-fleet.ts';

const WINDOW_MS = 10_000;
const ROLES = ['ingest', 'query', 'compactor', 'symbolizer'] as const;

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '100' },
    roles: { type: 'string', default: '10' },
    /** Windows of ten seconds, written as fast as possible. */
    windows: { type: 'string', default: '30' },
    folder: { type: 'string', default: join(tmpdir(), 'fleetflame-month') },
    seconds: { type: 'string', default: '120' },
    /** For a profile of it: each role is a service, and V8 names its functions, which costs CPU. */
    named: { type: 'boolean', default: false },
  },
});
const captured = join(values.folder, 'captured');
await mkdir(values.folder, { recursive: true });
if (!(await stat(captured).catch(() => undefined))) await capture(captured, Number(values.seconds));
const batches = await readCaptured(captured, 64);
const createFleet = (hosts: number, seed: number): SimulatedFleet =>
  new SimulatedFleet(batches, {
    seed,
    hosts,
    roles: Number(values.roles),
    windowMs: WINDOW_MS,
    skewMs: 2000,
    restarts: 0,
  });

await using rgw = await Rgw.start();
await using postgres = await PostgresServer.start();
const { bucket } = await rgw.createBucket();
const place = ['--objects', `s3://${bucket}`, '--objects-endpoint', rgw.endpoint];
const environment = {
  AWS_ACCESS_KEY_ID: rgw.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: rgw.credentials.secretAccessKey,
  FLEETFLAME_CATALOG_URL: await postgres.createDatabase(),
};
const processes = new Map<string, ServerProcess>();
for (const role of ROLES) {
  const names = {
    OTEL_SERVICE_NAME: `fleetflame-${role}`,
    NODE_OPTIONS: '--perf-basic-prof --interpreted-frames-native-stack',
  };
  const own = values.named ? names : {};
  processes.set(role, await ServerProcess.start(role, place, { ...environment, ...own }));
}
const url = (role: string): string => processes.get(role)?.url ?? '';
try {
  console.log(`${describeMachine()}; Ceph RGW in memory, PostgreSQL 15; ${values.hosts} hosts`);
  console.log(
    '| load | rows/s | MB/s | rows/s per core of ingest | MB/s per core | ack p50, p99 ms | bytes per row |',
  );
  console.log('|---|---|---|---|---|---|---|');
  const hosts = Number(values.hosts);
  const windows = Number(values.windows);
  const fleet = createFleet(hosts, 1);
  const startMs = Math.floor((Date.now() - windows * WINDOW_MS) / WINDOW_MS) * WINDOW_MS;
  const full = await measure(fleet, { startMs, windows, calls: 200, paced: false });
  row('as fast as it goes', full);
  // Before the second fleet, which has the same names.
  const check = await checkSums(fleet, full.result.ledger, url('query'));
  if (check.mismatches > 0) process.exitCode = 1;
  const perSecond = full.result.ledger.batches / full.result.seconds;
  const half = createFleet(Math.max(1, Math.floor((perSecond / 2) * (WINDOW_MS / 1000))), 2);
  const nowMs = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS;
  row(
    `half of it, ${half.shape.hosts} hosts`,
    await measure(half, { startMs: nowMs, windows: 4, calls: half.shape.hosts, paced: true }),
  );
  console.log(`\n${check.cells} sums compared, ${check.mismatches} differ`);
  console.log('\n| role | CPU s in all | peak MB resident |\n|---|---|---|');
  for (const [role, server] of processes) {
    const { cpuSeconds, peakBytes } = await server.usage();
    console.log(`| ${role} | ${cpuSeconds.toFixed(1)} | ${(peakBytes / 1e6).toFixed(0)} |`);
  }
  await describeCompaction();
} finally {
  for (const server of processes.values()) await server.stop();
}

interface Measured {
  readonly result: WriteResult;
  readonly ingestCpuSeconds: number;
}

async function measure(
  fleet: SimulatedFleet,
  options: {
    readonly startMs: number;
    readonly windows: number;
    readonly calls: number;
    readonly paced: boolean;
  },
): Promise<Measured> {
  const before = await cpuOf('ingest');
  const result = await writeFleet(fleet, { ingest: [url('ingest')], ...options });
  return { result, ingestCpuSeconds: (await cpuOf('ingest')) - before };
}

function row(name: string, { result, ingestCpuSeconds }: Measured): void {
  const { ledger, seconds, ackMs } = result;
  const at = (share: number): string => (ackMs[Math.floor((ackMs.length - 1) * share)] ?? 0).toFixed(0);
  const mega = (by: number): string => (ledger.bytes / 1e6 / by).toFixed(1);
  console.log(
    `| ${name} | ${rate(ledger.rows, seconds)} | ${mega(seconds)} | ${rate(ledger.rows, ingestCpuSeconds)} | ${mega(ingestCpuSeconds)} | ${at(0.5)}, ${at(0.99)} | ${(ledger.bytes / ledger.rows).toFixed(1)} |`,
  );
}

/** What was written for what had been written: by merges, of segments. */
async function describeCompaction(): Promise<void> {
  const compactor = await metricsOf('compactor');
  const ingest = await metricsOf('ingest');
  const read = valueOf(compactor, 'fleetflame_store_merged_bytes_total{direction="in"}');
  const written = valueOf(compactor, 'fleetflame_store_merged_bytes_total{direction="out"}');
  const segments = valueOf(ingest, 'fleetflame_objects_bytes_total{direction="sent"}');
  const cpuSeconds = await cpuOf('compactor');
  console.log(
    `\nsegments ${(segments / 1e6).toFixed(1)} MB; merges read ${(read / 1e6).toFixed(1)} MB and wrote ${(written / 1e6).toFixed(1)} MB, ` +
      `${(read / 1e6 / cpuSeconds).toFixed(1)} MB read a second of the compactor's CPU`,
  );
}

async function cpuOf(role: string): Promise<number> {
  return (await processes.get(role)?.usage())?.cpuSeconds ?? 0;
}

function rate(count: number, by: number): string {
  return Math.round(count / by).toLocaleString('en');
}

async function metricsOf(role: string): Promise<string> {
  return await (await fetch(`${url(role)}/metrics`)).text();
}

function valueOf(metrics: string, name: string): number {
  const line = metrics.split('\n').find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length) ?? 0);
}
