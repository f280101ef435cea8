/** What taking pushed profiles costs: from the first push until maintenance has nothing left to do. */
import type { PushedFile } from './pushed-fleet.ts';
import type { Server } from './load.ts';

export interface PushResult {
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly ackMs: readonly number[];
  /** CPU of the server, all threads, while it was pushed to. */
  readonly cpuSeconds: number;
  /** The same, and afterwards until no job was open. */
  readonly settledCpuSeconds: number;
  readonly peakBytes: number;
  readonly storedBytes: number;
  readonly metrics: string;
}

/** The server plans merges some seconds after the last segment; so long without CPU time is settled. */
const QUIET_ROUNDS = 5;
const ROUND_MS = 2000;
/** Asking is some of it. */
const IDLE_CPU_SECONDS = 0.25;
const MOST_ROUNDS = 90;

export async function drivePushes(
  server: Server,
  files: readonly PushedFile[],
  inFlight: number,
): Promise<PushResult> {
  const before = await server.stat();
  const started = performance.now();
  const ackMs: number[] = [];
  let next = 0;
  const push = async (): Promise<void> => {
    for (let file = files[next++]; file !== undefined; file = files[next++]) {
      const sentMs = performance.now();
      await server.client.writePprof({ profile: file.profile, labels: file.labels });
      ackMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, push));
  const seconds = (performance.now() - started) / 1000;
  const after = await server.stat();
  const settled = await settle(server);
  const sum = (of: (file: PushedFile) => number): number =>
    files.reduce((total, file) => total + of(file), 0);
  return {
    files: files.length,
    rows: sum((file) => file.rows),
    bytes: sum((file) => file.profile.length),
    seconds,
    ackMs: ackMs.toSorted((a, b) => a - b),
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    settledCpuSeconds: settled.cpuSeconds - before.cpuSeconds,
    peakBytes: settled.peakBytes,
    storedBytes: settled.storedBytes,
    metrics: settled.metrics,
  };
}

async function settle(server: Server): Promise<Awaited<ReturnType<Server['stat']>>> {
  let last = await server.stat();
  let quiet = 0;
  for (let round = 0; quiet < QUIET_ROUNDS && round < MOST_ROUNDS; round++) {
    await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    const now = await server.stat();
    quiet = now.openJobs === 0 && now.cpuSeconds - last.cpuSeconds < IDLE_CPU_SECONDS ? quiet + 1 : 0;
    last = now;
  }
  if (quiet < QUIET_ROUNDS) console.log(`  not settled: ${last.openJobs} jobs are open`);
  return last;
}
