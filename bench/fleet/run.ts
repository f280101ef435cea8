/** Writes a simulated fleet and checks every sum; see README.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { BlockService } from '@fleetflame/proto/store/v1/blocks';
import { capture } from '../day/capture.ts';
import { describeMachine } from '../overhead/machine.ts';
import { readCaptured } from './captured-batches.ts';
import { checkSums } from './check-sums.ts';
import { writeFleet, type WriteResult } from './fleet-writer.ts';
import { ServerProcess } from './server-process.ts';
import { SimulatedFleet } from './simulated-fleet.ts';

const MINUTE_MS = 60_000;

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '100' },
    roles: { type: 'string', default: '5' },
    minutes: { type: 'string', default: '10' },
    /** How long before now the first window begins; default: so that the last one ends now. */
    ago: { type: 'string' },
    calls: { type: 'string', default: '50' },
    skew: { type: 'string', default: '2000' },
    restarts: { type: 'string', default: '0.01' },
    duplicates: { type: 'string', default: '0.01' },
    seed: { type: 'string', default: '1' },
    /** Windows at their own time instead of as fast as the store takes them. */
    paced: { type: 'boolean', default: false },
    captured: { type: 'string' },
    seconds: { type: 'string', default: '120' },
    /** A running deployment instead of a new one. */
    ingest: { type: 'string', multiple: true },
    query: { type: 'string' },
    retention: { type: 'string', default: '60d' },
  },
});

const scratch = await mkdtemp(join(tmpdir(), 'fleetflame-bench-'));
let server: ServerProcess | undefined;
try {
  const captured = values.captured ?? join(scratch, 'captured');
  if (values.captured === undefined) await capture(captured, Number(values.seconds));
  const windowMs = 10_000;
  const fleet = new SimulatedFleet(await readCaptured(captured, 64), {
    seed: Number(values.seed),
    hosts: Number(values.hosts),
    roles: Number(values.roles),
    windowMs,
    skewMs: Number(values.skew),
    restarts: Number(values.restarts),
  });
  if (values.ingest === undefined) server = await ServerProcess.up(join(scratch, 'data'), values.retention);
  const ingest = values.ingest ?? [server?.url ?? ''];
  const query = values.query ?? ingest[0] ?? '';
  const lengthMs = Number(values.minutes) * MINUTE_MS;
  const agoMs = values.ago === undefined ? lengthMs : Number(values.ago) * MINUTE_MS;
  console.log(describeMachine());
  console.log(
    `${values.hosts} hosts, ${fleet.services.length} services, ${values.minutes} minutes, seed ${values.seed}`,
  );
  const before = await server?.usage();
  const result = await writeFleet(fleet, {
    ingest,
    startMs: Math.floor((values.paced ? Date.now() : Date.now() - agoMs) / windowMs) * windowMs,
    windows: lengthMs / windowMs,
    calls: Number(values.calls),
    paced: values.paced,
    duplicates: Number(values.duplicates),
    onProgress: (ledger) => process.stderr.write(`\r${ledger.batches} batches acked `),
  });
  process.stderr.write('\n');
  const after = await server?.usage();
  report(
    result,
    before === undefined || after === undefined ? undefined : after.cpuSeconds - before.cpuSeconds,
  );
  if (after !== undefined) console.log(`memory      ${mega(after.peakBytes)} MB resident at most`);
  await reportLevels(query, result);
  const check = await checkSums(fleet, result.ledger, query);
  console.log(
    `sums        ${check.cells} cells compared, ${check.mismatches} differ; ` +
      `${check.unknownPresent} of ${check.unknownPresent + check.unknownAbsent} batches without an ack are there; ` +
      `${check.missingBlocks} blocks unreadable`,
  );
  for (const example of check.examples) console.log(`  ${example}`);
  if (check.mismatches > 0) process.exitCode = 1;
} finally {
  await server?.stop();
  await rm(scratch, { recursive: true, force: true });
}

function report(
  { ledger, seconds, ackMs, retries, errors }: WriteResult,
  cpuSeconds: number | undefined,
): void {
  const at = (share: number): string => (ackMs[Math.floor((ackMs.length - 1) * share)] ?? 0).toFixed(0);
  console.log(`acked       ${ledger.batches} batches, ${ledger.rows.toLocaleString('en')} rows, ${ledger.samples.toLocaleString('en')} samples, ${mega(ledger.bytes)} MB in ${seconds.toFixed(1)} s
rate        ${rate(ledger.rows, seconds)} rows/s, ${(ledger.bytes / 1e6 / seconds).toFixed(1)} MB/s
ack         p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ${retries} retries ${JSON.stringify(Object.fromEntries(errors))}`);
  if (cpuSeconds !== undefined) {
    console.log(
      `server CPU  ${cpuSeconds.toFixed(1)} s with compaction: ${rate(ledger.rows, cpuSeconds)} rows/s, ${(ledger.bytes / 1e6 / cpuSeconds).toFixed(1)} MB/s a core`,
    );
  }
}

async function reportLevels(url: string, { ledger }: WriteResult): Promise<void> {
  const client = createClient(BlockService, createConnectTransport({ baseUrl: url, httpVersion: '1.1' }));
  const levels = new Map<number, { blocks: number; bytes: number; rows: number }>();
  let pageToken = '';
  do {
    const page = await client.list({ pageToken });
    for (const block of page.blocks) {
      const level = levels.get(block.level) ?? { blocks: 0, bytes: 0, rows: 0 };
      level.blocks++;
      level.bytes += Number(block.sizeBytes);
      level.rows += Number(block.rows);
      levels.set(block.level, level);
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  let bytes = 0;
  for (const [level, { blocks, bytes: size, rows }] of [...levels].toSorted(([a], [b]) => a - b)) {
    bytes += size;
    console.log(`level ${level}     ${blocks} blocks, ${mega(size)} MB, ${rows.toLocaleString('en')} rows`);
  }
  console.log(`stored      ${(bytes / ledger.samples).toFixed(2)} bytes per sample`);
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function rate(count: number, by: number): string {
  return Math.round(count / by).toLocaleString('en');
}
