/** Makes a fault happen to a cluster, and ends it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, ClusterProcess, Wires } from '../support/cluster.ts';
import { targetOf, type Fault, type Place, type Schedule, type Step } from './schedule.ts';

/** A process that cannot start, because what it needs is down, ends; whoever watches over it starts it again. */
const STARTS = 60;
const RESTART_MS = 500;

type End = () => Promise<void> | void;

/** Resolves when all has happened and everything is well again. */
export async function runFaults(cluster: Cluster, { steps }: Schedule, startMs: number): Promise<void> {
  const byTarget = Map.groupBy(steps, ({ fault }) => targetOf(fault));
  const ran = [...byTarget.values()].map(async (chain) => await runChain(cluster, chain, startMs));
  const results = await Promise.allSettled(ran);
  for (const { s3, postgres } of cluster.wires.values()) {
    s3.heal();
    postgres.heal();
  }
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function runChain(cluster: Cluster, steps: readonly Step[], startMs: number): Promise<void> {
  for (const { atMs, forMs, fault } of steps) {
    await sleep(Math.max(0, startMs + atMs - performance.now()));
    const end = await begin(cluster, fault);
    try {
      await sleep(forMs);
    } finally {
      await end();
    }
  }
}

async function begin(cluster: Cluster, fault: Fault): Promise<End> {
  switch (fault.kind) {
    case 'kill': {
      const process = processAt(cluster, fault.place);
      await process.kill();
      return async () => await revive(process);
    }
    case 'stop':
      return pause(processAt(cluster, fault.place).pid);
    case 'cut': {
      const wire = wiresOf(cluster, fault.place)[fault.to];
      wire.cut(fault.how);
      return () => wire.heal();
    }
    case 'pull': {
      const { host } = processAt(cluster, fault.place);
      if (host === undefined) throw new Error('the cluster was started without a network');
      host.pull(fault.from);
      return () => host.plug(fault.from);
    }
    case 'lose commit': {
      const { postgres } = wiresOf(cluster, fault.place);
      postgres.lose(fault.loses, 'commit\0');
      return () => postgres.heal();
    }
    case 's3':
      cluster.s3.lateMs = fault.lateMs;
      cluster.s3.inject(fault.share, fault.faults);
      return () => {
        cluster.s3.choose = () => undefined;
      };
    case 'kill gateway':
      await cluster.rgw.killGateway();
      return async () => await cluster.rgw.startGateway();
    case 'stop gateway':
      return pause(cluster.rgw.gatewayPid);
    case 'stop osd':
      return pause(cluster.rgw.storagePids.osd);
    case 'stop monitor':
      return pause(cluster.rgw.storagePids.monitor);
    case 'kill postgres':
      await cluster.postgres.kill();
      return async () => await cluster.postgres.restart();
    case 'stop postgres':
      return cluster.postgres.pause();
    case 'kill backend':
      return await killBackend(cluster);
    default:
      await makeDue(cluster, 'all');
      return () => undefined;
  }
}

/**
 * Jobs become due now: after faults, those that wait for their next try; `all`: those that somebody is
 * doing too, as if the process had been stopped for longer than its lease.
 */
export async function makeDue({ postgres, catalogUrl }: Cluster, which: 'waiting' | 'all'): Promise<void> {
  const held = which === 'all' ? '' : ' and lease_until_ms = 0';
  await postgres.query(
    catalogUrl,
    `update jobs set lease_until_ms = 0, not_before_ms = 0 where outcome is null${held}`,
  );
}

/** kill -9 of one that serves us: PostgreSQL then ends all of them and recovers, by itself. */
async function killBackend({ postgres, catalogUrl }: Cluster): Promise<End> {
  const rows = await postgres.query(
    catalogUrl,
    `select pid from pg_stat_activity where application_name = 'fleetflame' order by backend_start limit 1`,
  );
  const pid = rows[0]?.['pid'];
  if (typeof pid === 'number') killIfThere(pid);
  return async () => {
    for (;;) {
      try {
        await postgres.query(catalogUrl, 'select 1');
        return;
      } catch {
        // It is recovering; the test's own time is the limit.
        await sleep(50);
      }
    }
  };
}

/** A connection that is cut at the same time ends its backend. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function pause(pid: number): End {
  process.kill(pid, 'SIGSTOP');
  return () => void process.kill(pid, 'SIGCONT');
}

async function revive(process: ClusterProcess): Promise<void> {
  for (let start = 1; ; start++) {
    try {
      await process.startAgain();
      return;
    } catch (error) {
      if (start === STARTS) throw error;
      await sleep(RESTART_MS);
    }
  }
}

function processAt(cluster: Cluster, { role, number }: Place): ClusterProcess {
  const found = cluster.role(role)[number];
  if (found === undefined) throw new Error(`there is no ${role} ${number}`);
  return found;
}

function wiresOf(cluster: Cluster, place: Place): Wires {
  const wires = cluster.wires.get(processAt(cluster, place));
  if (wires === undefined) throw new Error('the cluster was started without wires');
  return wires;
}
