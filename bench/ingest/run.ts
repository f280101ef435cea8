/** `./fleetflame bench ingest [--only pushes|batches|levels] [--windows N] [--seconds N]`; see README.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encodeBlock } from '@fleetflame/profile';
import { measureLevels } from './levels.ts';
import { drive, Server, type Batch, type LoadResult } from './load.ts';
import { pushedFleet } from './pushed-fleet.ts';
import { drivePushes } from './pushes.ts';
import { SyntheticFleet } from './synthetic-fleet.ts';

/** Enough to have a segment's worth of batches underway at all times. */
const WRITERS = 200;

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    windows: { type: 'string', default: '60' },
    'in-flight': { type: 'string', default: '256' },
    only: { type: 'string', default: '' },
  },
});
const hosts = Number(values.hosts);
const minutes = Number(values.minutes);
const seconds = Number(values.seconds);
const seed = Number(values.seed);
const directory = mkdtempSync(join(tmpdir(), 'fleetflame-bench-'));
try {
  const load = loadavg()[0] ?? 0;
  const machine = `${cpus().length}-core ${cpus()[0]?.model ?? 'machine'}, Linux ${release()}, Node ${process.versions.node}`;
  console.log(`machine: ${machine}; load average before ${load.toFixed(1)}; seed ${seed}`);
  const wanted = (part: string): boolean => values.only === '' || values.only === part;
  if (wanted('pushes')) await benchPushes();
  if (wanted('batches')) await benchIngest();
  if (wanted('levels')) await benchLevels();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function benchPushes(): Promise<void> {
  const shape = { seed, hosts: 20, servicesPerHost: 5, services: 20, windows: Number(values.windows) };
  const files = [...pushedFleet(shape, Math.floor(Date.now() / 10_000) * 10_000)];
  const server = await Server.start(join(directory, 'pushes'), true);
  const result = await drivePushes(server, files, Number(values['in-flight']));
  await server.stop();
  const { ackMs, rows, cpuSeconds, settledCpuSeconds, storedBytes } = result;
  const at = (share: number): string => (ackMs[Math.floor((ackMs.length - 1) * share)] ?? 0).toFixed(0);
  const each = (value: number, digits = 2): string => (value / result.files).toFixed(digits);
  console.log(`pushes: ${result.files} profiles of ${each(rows, 0)} rows, ${each(result.bytes, 0)} bytes, ${values['in-flight']} in flight:
  acked        ${rate(result.files, result.seconds)} profiles/s, ${(cpuSeconds / result.seconds).toFixed(2)} cores
  a profile    ${each(1000 * settledCpuSeconds)} ms of CPU until no job is open, ${each(1000 * cpuSeconds)} ms until the last ack; wall ms ${shares(result.metrics)}
  ack          p50 ${at(0.5)} ms, p99 ${at(0.99)} ms
  peak memory  ${(result.peakBytes / 1e6).toFixed(0)} MB (VmHWM)
  stored       ${(storedBytes / rows).toFixed(1)} bytes a row`);
}

function buildBatches(): Batch[] {
  const fleet = new SyntheticFleet(seed);
  return Array.from({ length: 200 }, (_, host) => {
    const block = fleet.batch(host, Math.floor(Date.now() / 1000) * 1000 - 10_000);
    return { bytes: encodeBlock(block), rows: block.samples.length, samples: fleet.samplesPerBatch };
  });
}

async function benchIngest(): Promise<void> {
  const batches = buildBatches();
  const mean = (field: (batch: Batch) => number): string =>
    (batches.reduce((sum, batch) => sum + field(batch), 0) / batches.length).toFixed(0);
  console.log(
    `batch: ${mean((batch) => batch.samples)} samples in ${mean((batch) => batch.rows)} rows, ${mean((batch) => batch.bytes.length)} bytes`,
  );
  const server = await Server.start(join(directory, 'ingest'));
  await drive(server, batches, { name: 'warm', seconds: 3, writers: 50 });
  const full = await drive(server, batches, { name: 'full', seconds, writers: WRITERS });
  report(`full load, ${WRITERS} writers`, full);
  const perSecond = Math.floor(full.batches / full.seconds / 2);
  report(
    `half load, ${perSecond} batches/s`,
    await drive(server, batches, { name: 'half', seconds, perSecond }),
  );
  await server.stop();
}

function rate(count: number, by: number): string {
  return Math.round(count / by).toLocaleString('en');
}

function report(name: string, result: LoadResult): void {
  const { seconds: wall, serverCpuSeconds: cpu, ackMs } = result;
  const percentile = (share: number): string =>
    (ackMs[Math.min(ackMs.length - 1, Math.floor(ackMs.length * share))] ?? 0).toFixed(0);
  console.log(`${name}:
  acked        ${rate(result.batches, wall)} batches/s, ${rate(result.rows, wall)} rows/s, ${rate(result.samples, wall)} samples/s, ${(result.bytes / wall / 1e6).toFixed(1)} MB/s
  per core     ${rate(result.rows, cpu)} rows/s, ${rate(result.samples, cpu)} samples/s of server CPU (${((cpu / wall) * 100).toFixed(0)} % of one core used)
  ack          p50 ${percentile(0.5)} ms, p99 ${percentile(0.99)} ms
  peak memory  ${(result.peakBytes / 1e6).toFixed(0)} MB resident
  a batch      ${((cpu / result.batches) * 1000).toFixed(2)} ms of CPU; wall ms ${shares(result.metrics)}`);
}

/** Seconds per batch that the server's own histograms saw, over its whole life. */
function shares(metrics: string): string {
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? 0);
  const batches = value('fleetflame_ingest_decode_seconds_count');
  const part = (label: string, name: string): string =>
    `${label} ${((value(`${name}_seconds_sum`) / batches) * 1000).toFixed(2)}`;
  return [
    part('decode', 'fleetflame_ingest_decode'),
    part('merge', 'fleetflame_ingest_merge'),
    part('encode', 'fleetflame_ingest_encode'),
    part('put', 'fleetflame_store_put'),
    part('commit', 'fleetflame_store_commit'),
  ].join(', ');
}

async function benchLevels(): Promise<void> {
  console.log(`levels: ${hosts} hosts for ${minutes} minutes`);
  for (const result of await measureLevels(join(directory, 'levels'), { hosts, minutes, seed })) {
    const { level, blocks, bytes, rows, bytesPerSample, mergeSeconds } = result;
    const merged = level > 0 ? `, merged in ${mergeSeconds.toFixed(1)} s` : '';
    console.log(
      `  level ${level}: ${blocks} blocks, ${(bytes / 1e6).toFixed(2)} MB, ${rows.toLocaleString('en')} rows, ${bytesPerSample.toFixed(2)} bytes per sample${merged}`,
    );
  }
}
