/** A month of a fleet: what it costs to write, to keep and to ask. Prints the tables of README.md. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { QUESTIONS } from '../day/ask.ts';
import { capture } from '../day/capture.ts';
import { describeMachine } from '../overhead/machine.ts';
import type { Asked } from './month-ask.ts';
import { createFleet, DAY_MS, MonthStore, writeMonth, type Written } from './month-store.ts';

const HOUR_MS = 3_600_000;
const RANGES: readonly (readonly [string, number])[] = [
  ['1 h', HOUR_MS],
  ['24 h', DAY_MS],
  ['30 days', 30 * DAY_MS],
];

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '1000' },
    'old-hosts': { type: 'string', default: '125' },
    days: { type: 'string', default: '30' },
    roles: { type: 'string', default: '10' },
    /** Where batches and months are kept, to be asked again. */
    folder: { type: 'string', default: join(tmpdir(), 'fleetflame-month') },
    seconds: { type: 'string', default: '120' },
    /** Write it, ask nothing. */
    'write-only': { type: 'boolean', default: false },
  },
});
const shape = {
  hosts: Number(values.hosts),
  oldHosts: Number(values['old-hosts']),
  days: Number(values.days),
  roles: Number(values.roles),
  captured: join(values.folder, 'captured'),
};
await mkdir(values.folder, { recursive: true });
if (!(await exists(shape.captured))) await capture(shape.captured, Number(values.seconds));
const data = join(values.folder, `${shape.hosts}-hosts-${shape.days}-days`);
const { nowMs, written } = await prepare();
console.log(`${describeMachine()}; ${shape.hosts} hosts, ${shape.days} days`);
describeWritten(written);
await describeStore();
if (!values['write-only']) {
  console.log(
    '\n| range | question | blocks | sample rows | read MB | cold ms (CPU) | compiled code, cold data ms (CPU) | warm ms (CPU) | items | peak MB |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|---|');
  // One that the captured host ran, under the name of a role.
  const service = (await createFleet(shape)).services[0] ?? '';
  for (const [name, rangeMs] of RANGES.filter(([, ms]) => ms <= shape.days * DAY_MS)) {
    for (const question of QUESTIONS) {
      // Values of thread_name: rollups have none, and raw data is kept for a week.
      if (question === 'values' && rangeMs > 7 * DAY_MS) continue;
      await row(name, question, question, rangeMs, '');
      if (question === 'flame')
        await row(name, `flame of ${service}`, question, rangeMs, `{service_name="${service}"}`);
    }
  }
}

async function prepare(): Promise<{ nowMs: number; written: Written }> {
  const file = `${data}.json`;
  if (await exists(file))
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written below
    return JSON.parse(await readFile(file, 'utf8')) as { nowMs: number; written: Written };
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const endMs = today - DAY_MS + 14 * HOUR_MS + 37 * 60_000 + 25_000;
  let shown = 0;
  const result = await writeMonth(data, endMs, shape, (share) => {
    if (share - shown < 0.01) return;
    shown = share;
    process.stderr.write(`\r${Math.round(share * 100)} % of the month `);
  });
  process.stderr.write('\n');
  await writeFile(file, JSON.stringify({ nowMs: endMs, written: result }));
  return { nowMs: endMs, written: result };
}

function time({ wallMs, cpuMs }: Asked['cold']): string {
  return `${wallMs.toFixed(0)} (${cpuMs.toFixed(0)})`;
}

function million(count: number): string {
  return (count / 1e6).toFixed(2);
}

function describeWritten({
  segments,
  batches,
  rows,
  samples,
  commitCpuSeconds,
  maintainCpuSeconds,
}: Written): void {
  console.log(
    `written: ${segments} segments, ${batches.toLocaleString('en')} batches, ${million(rows)} M rows, ${million(samples)} M samples; ` +
      `CPU ${commitCpuSeconds.toFixed(0)} s to merge and commit, ${maintainCpuSeconds.toFixed(0)} s of maintenance`,
  );
}

async function describeStore(): Promise<void> {
  const month = await MonthStore.open(data, nowMs);
  const sums = new Map<string, { blocks: number; bytes: number; rows: number; points: number }>();
  for (let after: { timeMinMs: number; id: string } | undefined; ;) {
    const page = await month.store.catalog.page({ fromMs: 0, toMs: nowMs + DAY_MS }, after, 1000);
    for (const { block } of page) {
      const kind = block.resolutionMs === 0 ? 'raw' : `${block.resolutionMs / 60_000} min`;
      const key = `${kind} | ${block.level}`;
      const sum = sums.get(key) ?? { blocks: 0, bytes: 0, rows: 0, points: 0 };
      sums.set(key, sum);
      sum.blocks++;
      sum.bytes += block.sizeBytes;
      sum.rows += block.rows;
      sum.points += block.points;
    }
    after = page.at(-1)?.block;
    if (page.length < 1000) break;
  }
  await month.store.close();
  console.log(
    '\n| resolution | level | blocks | MB | sample rows | points | bytes per row | bytes per point |\n|---|---|---|---|---|---|---|---|',
  );
  for (const [key, { blocks, bytes, rows, points }] of [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    console.log(
      `| ${key} | ${blocks} | ${(bytes / 1e6).toFixed(1)} | ${rows.toLocaleString('en')} | ${points.toLocaleString('en')} | ${(bytes / rows).toFixed(2)} | ${(bytes / points).toFixed(2)} |`,
    );
}

async function row(
  range: string,
  name: string,
  question: string,
  rangeMs: number,
  selector: string,
): Promise<void> {
  const script = fileURLToPath(new URL('month-ask.ts', import.meta.url));
  const args = [
    `--data=${data}`,
    `--now=${nowMs}`,
    `--range=${rangeMs}`,
    `--question=${question}`,
    `--selector=${selector}`,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by month-ask.ts
  const { cold, compiled, warm, peakBytes } = JSON.parse(stdout) as Asked;
  console.log(
    `| ${range} | ${name} | ${cold.blocks} | ${cold.rows.toLocaleString('en')} | ${(cold.bytesRead / 1e6).toFixed(1)} | ${time(cold)} | ${time(compiled)} | ${time(warm)} | ${cold.items.toLocaleString('en')} | ${(peakBytes / 1e6).toFixed(0)} |`,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
