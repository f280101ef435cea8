/** What a row, a sample and a question cost as the fleet doubles, over one hour of it; see README.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Asker } from '../day/ask.ts';
import { describeMachine } from '../overhead/machine.ts';
import { DAY_MS, MonthStore, writeMonth } from './month-store.ts';

const HOUR_MS = 3_600_000;

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '125,250,500,1000' },
    roles: { type: 'string', default: '10' },
    /** What `month.ts` has captured. */
    captured: { type: 'string', default: join(tmpdir(), 'fleetflame-month', 'captured') },
  },
});
const minuteMs = 60_000;
const nowMs = Math.floor(Date.now() / minuteMs) * minuteMs;
console.log(`${describeMachine()}

| hosts | rows, samples | commit: µs a row | maintenance: µs a row, MB/s of segments | bytes per sample: level 0, in the end | written by merges / segments | flame graph of 1 h: cold, warm CPU ms |
|---:|---:|---:|---:|---:|---:|---:|`);
for (const hosts of values.hosts.split(',').map(Number)) await row(hosts);

async function row(hosts: number): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'fleetflame-growth-'));
  try {
    const shape = { hosts, oldHosts: hosts, days: HOUR_MS / DAY_MS, roles: Number(values.roles) };
    const written = await writeMonth(data, nowMs, { ...shape, captured: values.captured }, (share) =>
      process.stderr.write(`\r${hosts} hosts, ${Math.round(share * 100)} % `),
    );
    const { rows, samples, segmentBytes, mergedBytes, commitCpuSeconds, maintainCpuSeconds } = written;
    const month = await MonthStore.open(data, nowMs);
    const { levels } = await month.store.status();
    const stored = levels.reduce((sum, { bytes }) => sum + bytes, 0);
    // Compiled by a first service: what is left is what the data costs.
    const times: number[] = [];
    for (let service = 0; service < 2; service++) {
      const asker = await Asker.start(month.store);
      for (let i = 0; i < 2; i++) times.push((await asker.ask('flame', nowMs - HOUR_MS, nowMs)).cpuMs);
      await asker.close();
    }
    await month.store.close();
    const [cold = 0, warm = 0] = times.slice(2);
    process.stderr.write('\r');
    console.log(
      `| ${hosts} | ${million(rows)} M, ${million(samples)} M | ${micro(commitCpuSeconds, rows)} | ${micro(maintainCpuSeconds, rows)}, ${(segmentBytes / 1e6 / maintainCpuSeconds).toFixed(2)} | ` +
        `${(segmentBytes / samples).toFixed(2)}, ${(stored / samples).toFixed(2)} | ${(mergedBytes / segmentBytes).toFixed(2)} | ${cold.toFixed(0)}, ${warm.toFixed(0)} |`,
    );
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

function million(count: number): string {
  return (count / 1e6).toFixed(2);
}

function micro(seconds: number, rows: number): string {
  return ((seconds / rows) * 1e6).toFixed(1);
}
