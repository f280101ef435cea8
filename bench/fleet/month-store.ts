/**
 * A month of a fleet, written as time would have: segments in order, and after each step of the clock the store's own
 * maintenance to its end, rollups and all. Time is thinned out, nothing else: see README.md.
 */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { Store } from '@fleetflame/store';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { readCaptured } from './captured-batches.ts';
import { countSamples, SimulatedFleet } from './simulated-fleet.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** Hosts whose batches arrive in one second make one segment. */
const SEGMENT_HOSTS = 125;

/** A part of the month: so many hosts, each of which sends one batch of ten seconds every so often. */
interface Part {
  readonly fromMs: number;
  readonly toMs: number;
  readonly hosts: number;
  readonly everyMs: number;
}

export interface MonthShape {
  /** Of the last day. */
  readonly hosts: number;
  /** Of the days before it: rollups have no host names, so more hosts would be more work and no more data. */
  readonly oldHosts: number;
  readonly days: number;
  readonly roles: number;
  readonly captured: string;
}

export interface Written {
  readonly segments: number;
  readonly batches: number;
  readonly rows: number;
  readonly samples: number;
  /** Of the segments as they were committed, and of all that merges wrote afterwards, rollups included. */
  readonly segmentBytes: number;
  readonly mergedBytes: number;
  /** CPU of this process, all threads, by what it did. */
  readonly commitCpuSeconds: number;
  readonly maintainCpuSeconds: number;
}

export class MonthStore {
  readonly store: Store;
  readonly registry: Registry;
  readonly clock: { nowMs: number };

  private constructor(store: Store, registry: Registry, clock: { nowMs: number }) {
    this.store = store;
    this.registry = registry;
    this.clock = clock;
  }

  static async open(dataDir: string, nowMs: number): Promise<MonthStore> {
    const clock = { nowMs };
    const registry = new Registry();
    const store = await Store.open({
      dataDir,
      // Raw data of a week, as a fleet would keep it.
      retentionMs: 7 * DAY_MS,
      rollups: { fiveMinutesMs: 60 * DAY_MS, hourMs: 400 * DAY_MS },
      shards: 4,
      log: pino({ level: 'warn' }, pino.destination(2)),
      registry,
      now: () => clock.nowMs,
    });
    return new MonthStore(store, registry, clock);
  }

  /** Bytes of segments that nothing has merged yet. */
  async segmentBytes(): Promise<number> {
    return (await this.store.status()).levels.find(({ level }) => level === 0)?.bytes ?? 0;
  }

  /** Bytes that merges have written since `open`. */
  async mergedBytes(): Promise<number> {
    const metric = await this.registry.getSingleMetric('fleetflame_store_merged_bytes_total')?.get();
    return metric?.values.find(({ labels }) => labels['direction'] === 'out')?.value ?? 0;
  }

  /** What is due now, to its end. */
  async settle(): Promise<void> {
    for (;;) {
      await this.store.maintain();
      const { jobs } = await this.store.status();
      if (jobs.every(({ kind, waiting, leased }) => kind === 'task' || waiting + leased === 0)) return;
    }
  }
}

export async function createFleet({ captured, hosts, roles }: MonthShape): Promise<SimulatedFleet> {
  const times = { windowMs: 10_000, skewMs: 2000, restarts: 0 };
  return new SimulatedFleet(await readCaptured(captured, 64), { seed: 1, hosts, roles, ...times });
}

export async function writeMonth(
  dataDir: string,
  nowMs: number,
  shape: MonthShape,
  onProgress: (share: number) => void,
): Promise<Written> {
  const firstMs = nowMs - shape.days * DAY_MS;
  const month = await MonthStore.open(dataDir, firstMs);
  const fleet = await createFleet(shape);
  const [dayMs, hourMs] = [Math.max(firstMs, nowMs - DAY_MS), Math.max(firstMs, nowMs - HOUR_MS)];
  const parts: readonly Part[] = [
    { fromMs: firstMs, toMs: dayMs, hosts: shape.oldHosts, everyMs: 2 * HOUR_MS },
    { fromMs: dayMs, toMs: hourMs, hosts: shape.hosts, everyMs: 30 * MINUTE_MS },
    { fromMs: hourMs, toMs: nowMs, hosts: shape.hosts, everyMs: MINUTE_MS },
  ];
  const written = {
    segments: 0,
    batches: 0,
    rows: 0,
    samples: 0,
    segmentBytes: 0,
    mergedBytes: 0,
    commitCpuSeconds: 0,
    maintainCpuSeconds: 0,
  };
  try {
    for (const part of parts) {
      const turns = Math.ceil(part.hosts / SEGMENT_HOSTS);
      // The hosts take turns, so that something arrives all the time.
      const stepMs = part.everyMs / turns;
      for (let turn = 0, atMs = part.fromMs; atMs < part.toMs; turn++, atMs += stepMs) {
        month.clock.nowMs = atMs;
        const bytesBefore = await month.segmentBytes();
        await account(written, 'commitCpuSeconds', async () => {
          const hosts = hostsOf(turn % turns, turns, part.hosts);
          const startMs = Math.floor((atMs - 11_000) / 1000) * 1000;
          const block = fleet.segment(hosts, Math.floor(atMs / DAY_MS), startMs);
          const batches = hosts.map((host) => ({ agentId: `host-${host}`, seq: BigInt(atMs) }));
          await month.store.commitSegment({ block, batches });
          written.segments++;
          written.batches += hosts.length;
          written.rows += block.samples.length;
          written.samples += countSamples(block);
        });
        written.segmentBytes += (await month.segmentBytes()) - bytesBefore;
        await account(written, 'maintainCpuSeconds', () => month.settle());
        onProgress((atMs - firstMs) / (nowMs - firstMs));
      }
    }
    month.clock.nowMs = nowMs;
    await account(written, 'maintainCpuSeconds', () => month.settle());
    written.mergedBytes = await month.mergedBytes();
    await cp(join(shape.captured, 'objects'), join(dataDir, 'objects'), { recursive: true });
    return written;
  } finally {
    await month.store.close();
  }
}

async function account(
  written: { commitCpuSeconds: number; maintainCpuSeconds: number },
  field: 'commitCpuSeconds' | 'maintainCpuSeconds',
  work: () => Promise<void>,
): Promise<void> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  written[field] += (user + system) / 1e6;
}

/** Neighbours, so that every segment has hosts of all roles, as a real one has. */
function hostsOf(turn: number, turns: number, hosts: number): number[] {
  const first = Math.floor((turn * hosts) / turns);
  const end = Math.floor(((turn + 1) * hosts) / turns);
  return Array.from({ length: end - first }, (_, i) => first + i);
}
